//! Jars as build tools make them, and as nobody should.

use std::io::{Cursor, Write as _};

use ::zip::CompressionMethod::{Deflated, Stored};
use ::zip::write::SimpleFileOptions;

use crate::cataloger::{Cataloger as _, Found};
use crate::language::java::Java;
use crate::language::tests::{catalog, damage, packages};

/// A jar of the given members; the names of stored ones begin with `=`.
fn jar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let (name, method) = match name.strip_prefix('=') {
            Some(name) => (name, Stored),
            None => (*name, Deflated),
        };
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn pom(group: &str, artifact: &str, version: &str) -> (String, Vec<u8>) {
    (
        format!("META-INF/maven/{group}/{artifact}/pom.properties"),
        format!("version={version}\ngroupId={group}\nartifactId={artifact}\n").into_bytes(),
    )
}

fn jar_of(poms: &[(String, Vec<u8>)], more: &[(&str, &[u8])]) -> Vec<u8> {
    let poms = poms.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    jar(&poms.chain(more.iter().copied()).collect::<Vec<_>>())
}

fn places(found: &Found) -> Vec<(&str, Option<&str>)> {
    found.packages.iter().map(|one| (one.name.as_str(), one.inside.as_deref())).collect()
}

#[test]
fn a_jar_built_by_maven_is_one_package() {
    let bytes = jar_of(
        &[pom("org.yaml", "snakeyaml", "1.26")],
        &[("META-INF/MANIFEST.MF", b"Bundle-Version: 1.26.0\n"), ("org/yaml/A.class", b"x")],
    );
    for name in [
        "opt/snakeyaml-1.26.jar",
        "opt/snakeyaml.jar",
        "opt/renamed.jar",
        "plugins/org.yaml.snakeyaml-1.26.0.v2020.jar",
        "usr/share/java/snake_yaml-1.26.jar",
    ] {
        let found = catalog(&Java, name, &bytes);
        assert_eq!(packages(&found), [("org.yaml:snakeyaml", "1.26")], "{name}");
        assert!(found.problems.is_empty(), "{:?}", found.problems);
    }
}

#[test]
fn each_pom_of_a_shaded_jar_is_a_package_and_its_own_comes_first() {
    let poms = [
        pom("io.netty", "netty-codec-http", "4.1.42.Final"),
        pom("com.example", "uber", "0.9"),
        pom("com.google.guava", "guava", "20.0"),
        pom("com.google.guava", "guava", "20.0"),
    ];
    let found = catalog(&Java, "uber-0.9.jar", &jar_of(&poms[..3], &[]));
    assert_eq!(
        packages(&found),
        [
            ("com.example:uber", "0.9"),
            ("io.netty:netty-codec-http", "4.1.42.Final"),
            ("com.google.guava:guava", "20.0")
        ]
    );
}

#[test]
fn a_jar_whose_group_and_artifact_begin_alike_is_known_by_its_pom() {
    for (group, artifact, version) in [
        ("dom4j", "dom4j", "1.4-dev-2"),
        ("commons-fileupload", "commons-fileupload", "1.3.1-jenkins-2"),
        ("org.apache.felix", "org.apache.felix.framework", "4.0-r-2"),
        ("org.eclipse.jetty", "util", "9.4-w-1"),
    ] {
        let poms = [pom("a.b", "c", "1"), pom(group, artifact, version)];
        let file = match artifact {
            "util" => format!("{group}.{artifact}-{version}.jar"),
            _ => format!("{artifact}-{version}.jar"),
        };
        let found = catalog(&Java, &file, &jar_of(&poms, &[]));
        let own = format!("{group}:{artifact}");
        assert_eq!(packages(&found), [(&*own, version), ("a.b:c", "1")], "{file}");
    }
}

#[test]
fn a_jar_that_only_shades_others_is_a_package_by_its_name() {
    let shaded = [pom("com.google.guava", "guava", "20.0"), pom("a.b", "c", "1")];
    let manifest: &[u8] = b"Implementation-Title: tool\nImplementation-Version: 3.1\n";
    let bytes = jar_of(&shaded, &[("META-INF/MANIFEST.MF", manifest), ("x/y/tool/A.class", b"")]);
    let found = catalog(&Java, "tool-3.1.jar", &bytes);
    assert_eq!(packages(&found)[0], ("x.y:tool", "3.1"));
    assert_eq!(found.packages.len(), 3);
    // Without a version in its name nothing says that the jar itself was ever published.
    let found = catalog(&Java, "app.jar", &bytes);
    assert_eq!(packages(&found), [("com.google.guava:guava", "20.0"), ("a.b:c", "1")]);
}

#[test]
fn without_a_pom_manifest_and_name_speak() {
    let check = |path: &str, manifest: &str, class: &str, expected: &[(&str, &str)]| {
        let bytes = jar(&[("META-INF/MANIFEST.MF", manifest.as_bytes()), (class, b"")]);
        let found = catalog(&Java, path, &bytes);
        assert_eq!(packages(&found), expected, "{path}");
    };
    let title = "Implementation-Title: spring-beans\nImplementation-Version: 5.3.17\n";
    let spring = [("org.springframework:spring-beans", "5.3.17")];
    check("spring-beans-5.3.17.jar", title, "org/springframework/beans/A.class", &spring);
    check("lib/spring-beans.jar", title, "x/A.class", &spring);
    check("a-b-2.0.jar", "", "org/acme/b/A.class", &[("org.acme:a-b", "2.0")]);
    check("a-b-2.0.jar", "", "A.class", &[("a-b:a-b", "2.0")]);
    check("a-2.0-acme.jar", "Implementation-Version: 2.0\n", "A.class", &[("a:a", "2.0")]);
    check("a.jar", "Bundle-Version: 1.2.0\n", "A.class", &[("a:a", "1.2.0")]);
    let tomcat =
        "Bundle-SymbolicName: org.apache.tomcat-catalina\nImplementation-Version: 9.0.30\n";
    let expected = [("org.apache.tomcat:tomcat-catalina", "9.0.30")];
    check("usr/local/tomcat/lib/catalina.jar", tomcat, "org/apache/A.class", &expected);
    check("app.jar", "Manifest-Version: 1.0\n", "A.class", &[]);
    check("app.jar", "Implementation-Version: ${project.version}\n", "A.class", &[]);
    check("app.jar", "Implementation-Version: unspecified\n", "A.class", &[]);
}

#[test]
fn jars_in_jars_are_named_by_their_way() {
    let core = jar_of(&[pom("org.apache.logging.log4j", "log4j-core", "2.14.1")], &[]);
    let io = jar_of(&[pom("commons-io", "commons-io", "2.4")], &[]);
    let war = jar(&[("WEB-INF/lib/commons-io-2.4.jar", &io)]);
    let (own, own_bytes) = pom("com.example", "orders", "1.4.2");
    let ear = jar(&[
        (&own, &own_bytes),
        ("=BOOT-INF/lib/log4j-core-2.14.1.jar", &core),
        ("=shop.war", &war),
    ]);
    let launcher = [b"#!/bin/sh\nexec java -jar \"$0\"\n".as_slice(), &ear].concat();
    for bytes in [&ear, &launcher] {
        let found = catalog(&Java, "app/orders.jar", bytes);
        assert_eq!(
            places(&found),
            [
                ("com.example:orders", None),
                ("org.apache.logging.log4j:log4j-core", Some("BOOT-INF/lib/log4j-core-2.14.1.jar")),
                ("commons-io:commons-io", Some("shop.war!/WEB-INF/lib/commons-io-2.4.jar")),
            ]
        );
        assert!(found.problems.is_empty(), "{:?}", found.problems);
    }
}

#[test]
fn a_hundred_jars_in_one_another_end_at_the_limit() {
    let mut bytes = jar_of(&[pom("a", "deepest", "1")], &[]);
    for _ in 0..100 {
        bytes = jar(&[("inner.jar", &bytes)]);
    }
    let found = catalog(&Java, "deep.jar", &bytes);
    assert!(found.packages.is_empty());
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].contains("more than 8 archives in one another"));
}

#[test]
fn a_member_that_stands_for_a_million_archives_ends_at_the_limit() {
    // One directory entry repeated: all name the same few bytes.
    let one = jar(&[("=a.jar", b"no zip")]);
    let start = one.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let end = one.len() - 22;
    let entry = &one[start..end];
    let mut bytes = one[..start].to_vec();
    for _ in 0..100_000 {
        bytes.extend_from_slice(entry);
    }
    let mut record = one[end..].to_vec();
    let length = u32::try_from(entry.len() * 100_000).unwrap();
    record[12..16].copy_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&record);
    let found = catalog(&Java, "many.jar", &bytes);
    assert!(found.packages.is_empty());
    // Problems of one file are bounded where they are kept.
    assert!(found.problems.len() > 10, "{}", found.problems.len());
}

#[test]
fn archives_with_comments_and_bytes_before_or_behind_are_read() {
    let plain = jar_of(&[pom("a", "b", "1")], &[]);
    let mut comment = plain.clone();
    let at = comment.len() - 2;
    comment[at..].copy_from_slice(&5_u16.to_le_bytes());
    comment.extend_from_slice(b"PK\x05\x06!");
    let before = [b"#!/bin/sh\n", &plain[..]].concat();
    let behind = [&plain[..], b"padding"].concat();
    for bytes in [plain, comment, before, behind] {
        assert_eq!(packages(&catalog(&Java, "b-1.jar", &bytes)), [("a:b", "1")]);
    }
    // Zip64: an end record of its own, with the 32-bit fields all ones.
    let options = SimpleFileOptions::default().large_file(true);
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..66_000 {
        writer.start_file(format!("{index}"), options).unwrap();
    }
    let (name, bytes) = pom("a", "b", "1");
    writer.start_file(name, options).unwrap();
    writer.write_all(&bytes).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert!(bytes.windows(4).any(|window| window == b"PK\x06\x06"));
    assert_eq!(packages(&catalog(&Java, "b-1.jar", &bytes)), [("a:b", "1")]);
}

#[test]
fn bombs_are_named_and_not_unpacked() {
    let zeros = vec![0; 70 << 20];
    let bytes = jar(&[("META-INF/MANIFEST.MF", &zeros), ("bomb.jar", &zeros)]);
    assert!(bytes.len() < 1 << 20);
    let found = catalog(&Java, "bomb-1.0.jar", &bytes);
    assert_eq!(packages(&found), [("bomb:bomb", "1.0")]);
    assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    // A directory that claims little and data that is much.
    let mut lying = jar(&[("META-INF/MANIFEST.MF", &vec![0; 17 << 20])]);
    let header = lying.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    lying[header + 24..header + 28].copy_from_slice(&10_u32.to_le_bytes());
    let found = catalog(&Java, "lying-1.0.jar", &lying);
    assert!(found.problems[0].contains("more than the 16777216 bytes"), "{:?}", found.problems);
}

#[test]
fn what_is_broken_is_named_and_the_rest_kept() {
    let inner = jar_of(&[pom("a", "b", "1")], &[]);
    let bytes = jar(&[("=x.jar", b"no zip"), ("=y.jar", &inner), ("=z.jar", &inner[..50])]);
    let found = catalog(&Java, "outer.jar", &bytes);
    assert_eq!(packages(&found), [("a:b", "1")]);
    assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    for broken in [&b"PK\x03\x04"[..], b"<html>", &bytes[..bytes.len() - 30]] {
        assert_eq!(catalog(&Java, "outer.jar", broken).problems.len(), 1);
    }
    assert!(catalog(&Java, "empty.jar", b"").is_empty());
    assert!(catalog(&Java, "old.rar", b"Rar!\x1a\x07\x00").is_empty());
}

#[test]
fn damaged_archives_never_panic() {
    let inner = jar_of(&[pom("a", "b", "1")], &[("META-INF/MANIFEST.MF", b"A: b\n c\n\n")]);
    let bytes = jar(&[("=i-1.jar", &inner), ("j-1.jar", &inner), ("a/b/C.class", b"x")]);
    damage(&Java, "outer-1.jar", &bytes, 3000);
}

#[test]
fn only_archives_are_wanted() {
    for (path, expected) in [
        ("app/orders.jar", true),
        ("app/SHOP.WAR", true),
        ("jenkins/plugins/git.jpi", true),
        ("app/orders.jar.sha1", false),
        ("app/data.zip", false),
        ("jar", false),
        ("", false),
    ] {
        let file = crate::cataloger::FileInfo { path, size: 1, mode: 0o644 };
        assert_eq!(Java.wants(&file), expected, "{path}");
    }
}

#[test]
fn an_archive_too_long_to_be_held_whole_shows_the_same() {
    let class = vec![b'c'; 3 << 20];
    let inner = jar_of(&[pom("org.yaml", "snakeyaml", "1.26")], &[("=org/yaml/A.class", b"x")]);
    let short = jar(&[("=org/b/B.class", b"c"), ("=lib/snakeyaml-1.26.jar", &inner)]);
    let long = jar(&[("=org/b/B.class", &class), ("=lib/snakeyaml-1.26.jar", &inner)]);
    let expected = catalog(&Java, "opt/application.jar", &short);
    assert_eq!(packages(&expected), [("org.yaml:snakeyaml", "1.26")]);
    assert_eq!(catalog(&Java, "opt/application.jar", &long), expected);
    let roshal = [b"Rar!".to_vec(), class.clone()].concat();
    assert_eq!(catalog(&Java, "opt/pictures.rar", &roshal), Found::default());
    let found = catalog(&Java, "opt/broken.jar", &class);
    assert_eq!(found.problems.len(), 1, "{found:?}");
}

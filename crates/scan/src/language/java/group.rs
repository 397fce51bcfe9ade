//! Finds the Maven group of a jar that carries no `pom.properties`, which is what Gradle, Ant and
//! Bazel build.
//!
//! The group is nowhere in such a jar as such, yet advisories are by `group:artifact`. In order:
//! 1. Artifacts that are well known and published without Maven's files (the table below).
//! 2. `Bundle-SymbolicName` when it ends in `.ARTIFACT`: what stands before it.
//! 3. `Implementation-Vendor-Id` when it has the form of a group and is more than a top domain and
//!    an organisation known to have many groups.
//! 4. `Automatic-Module-Name`, then `Bundle-SymbolicName`, when its last word is the artifact's
//!    last word: what stands before it (`org.apache.shiro.core` of `shiro-core`).
//! 5. The folder that all classes have in common, by the same rule, else as a whole.
//! 6. The artifact itself, as in Maven 1 (`commons-io:commons-io`, `junit:junit`).
//!
//! Rules 2 to 6 are guesses; a wrong one costs a missed advisory, never a false one, unless a group
//! of that very name has an artifact of that very name.

use super::manifest::Manifest;

/// Organisations whose artifacts are spread over many groups, so that their bare domain is none.
const BROAD_GROUPS: [&str; 6] =
    ["org.apache", "com.sun", "org.eclipse", "com.google", "com.oracle", "org.jboss"];

/// Artifacts published to Maven Central without Maven's own files in the jar, and their groups, as
/// Central lists them. A name that ends in `*` is a prefix; the first that fits counts.
const KNOWN: [(&str, &str); 98] = [
    ("spring-boot*", "org.springframework.boot"),
    ("spring-security-*", "org.springframework.security"),
    ("spring-data-*", "org.springframework.data"),
    ("spring-cloud-*", "org.springframework.cloud"),
    ("spring-session-*", "org.springframework.session"),
    ("spring-integration-*", "org.springframework.integration"),
    ("spring-batch-*", "org.springframework.batch"),
    ("spring-kafka*", "org.springframework.kafka"),
    ("spring-rabbit*", "org.springframework.amqp"),
    ("spring-amqp", "org.springframework.amqp"),
    ("spring-ws-*", "org.springframework.ws"),
    ("spring-xml", "org.springframework.ws"),
    ("spring-hateoas", "org.springframework.hateoas"),
    ("spring-plugin-*", "org.springframework.plugin"),
    ("spring-retry", "org.springframework.retry"),
    ("spring-ldap-*", "org.springframework.ldap"),
    ("spring-vault-*", "org.springframework.vault"),
    ("spring-graphql*", "org.springframework.graphql"),
    ("spring-webflow", "org.springframework.webflow"),
    ("spring-binding", "org.springframework.webflow"),
    ("spring-restdocs-*", "org.springframework.restdocs"),
    ("spring-aop", "org.springframework"),
    ("spring-aspects", "org.springframework"),
    ("spring-beans", "org.springframework"),
    ("spring-context*", "org.springframework"),
    ("spring-core*", "org.springframework"),
    ("spring-expression", "org.springframework"),
    ("spring-instrument*", "org.springframework"),
    ("spring-jcl", "org.springframework"),
    ("spring-jdbc", "org.springframework"),
    ("spring-jms", "org.springframework"),
    ("spring-messaging", "org.springframework"),
    ("spring-orm", "org.springframework"),
    ("spring-oxm", "org.springframework"),
    ("spring-r2dbc", "org.springframework"),
    ("spring-test", "org.springframework"),
    ("spring-tx", "org.springframework"),
    ("spring-web", "org.springframework"),
    ("spring-webflux", "org.springframework"),
    ("spring-webmvc*", "org.springframework"),
    ("spring-websocket", "org.springframework"),
    ("tomcat-embed-*", "org.apache.tomcat.embed"),
    ("tomcat-*", "org.apache.tomcat"),
    ("reactor-netty*", "io.projectreactor.netty"),
    ("reactor-*", "io.projectreactor"),
    ("micrometer-tracing*", "io.micrometer"),
    ("micrometer-*", "io.micrometer"),
    ("kotlin-*", "org.jetbrains.kotlin"),
    ("kotlinx-*", "org.jetbrains.kotlinx"),
    ("okhttp*", "com.squareup.okhttp3"),
    ("okio*", "com.squareup.okio"),
    ("retrofit", "com.squareup.retrofit2"),
    ("kafka-*", "org.apache.kafka"),
    ("kafka_*", "org.apache.kafka"),
    ("connect-*", "org.apache.kafka"),
    ("lucene-*", "org.apache.lucene"),
    ("solr-*", "org.apache.solr"),
    ("elasticsearch*", "org.elasticsearch"),
    ("bcprov-*", "org.bouncycastle"),
    ("bcpkix-*", "org.bouncycastle"),
    ("bcutil-*", "org.bouncycastle"),
    ("bcpg-*", "org.bouncycastle"),
    ("bcmail-*", "org.bouncycastle"),
    ("bctls-*", "org.bouncycastle"),
    ("bc-fips", "org.bouncycastle"),
    ("grpc-*", "io.grpc"),
    ("opentelemetry-*", "io.opentelemetry"),
    ("ant", "org.apache.ant"),
    ("ant-*", "org.apache.ant"),
    ("ivy", "org.apache.ivy"),
    ("velocity", "org.apache.velocity"),
    ("zookeeper*", "org.apache.zookeeper"),
    ("apache-cassandra", "org.apache.cassandra"),
    ("axis", "org.apache.axis"),
    ("xmlrpc-*", "org.apache.xmlrpc"),
    ("xercesImpl", "xerces"),
    ("serializer", "xalan"),
    ("jackson-core-asl", "org.codehaus.jackson"),
    ("jackson-mapper-asl", "org.codehaus.jackson"),
    ("jna*", "net.java.dev.jna"),
    ("mysql-connector-java", "mysql"),
    ("mysql-connector-j", "com.mysql"),
    ("mssql-jdbc", "com.microsoft.sqlserver"),
    ("ojdbc*", "com.oracle.database.jdbc"),
    ("postgresql", "org.postgresql"),
    ("h2", "com.h2database"),
    ("hsqldb", "org.hsqldb"),
    ("derby*", "org.apache.derby"),
    ("snappy-java", "org.xerial.snappy"),
    ("sqlite-jdbc", "org.xerial"),
    ("aspectjweaver", "org.aspectj"),
    ("aspectjrt", "org.aspectj"),
    ("json-path", "com.jayway.jsonpath"),
    ("activation", "javax.activation"),
    ("mail", "javax.mail"),
    ("jta", "javax.transaction"),
    ("jsp-api", "javax.servlet.jsp"),
    ("servlet-api", "javax.servlet"),
];

/// Artifacts of the Maven 1 era whose group is their own name, though their manifests and packages
/// say `org.apache` or the like.
const OWN_GROUP: [&str; 44] = [
    "antlr",
    "aopalliance",
    "avalon-framework",
    "cglib",
    "classworlds",
    "commons-attributes",
    "commons-beanutils",
    "commons-betwixt",
    "commons-chain",
    "commons-cli",
    "commons-codec",
    "commons-collections",
    "commons-configuration",
    "commons-daemon",
    "commons-dbcp",
    "commons-dbutils",
    "commons-digester",
    "commons-discovery",
    "commons-el",
    "commons-fileupload",
    "commons-httpclient",
    "commons-io",
    "commons-jelly",
    "commons-jexl",
    "commons-jxpath",
    "commons-lang",
    "commons-launcher",
    "commons-logging",
    "commons-modeler",
    "commons-net",
    "commons-pool",
    "commons-validator",
    "commons-vfs",
    "jaxen",
    "jdom",
    "junit",
    "log4j",
    "logkit",
    "oro",
    "regexp",
    "struts",
    "xalan",
    "xml-apis",
    "xmlunit",
];

/// Artifacts that changed their group at a major version: artifact (or prefix), the first major of
/// the new group, the old group, the new group.
const MOVED: [(&str, u32, &str, &str); 6] = [
    ("asm", 4, "asm", "org.ow2.asm"),
    ("asm-*", 4, "asm", "org.ow2.asm"),
    ("groovy*", 4, "org.codehaus.groovy", "org.apache.groovy"),
    ("hibernate-*", 6, "org.hibernate", "org.hibernate.orm"),
    ("dom4j", 2, "dom4j", "org.dom4j"),
    ("rxjava", 3, "io.reactivex.rxjava2", "io.reactivex.rxjava3"),
];

/// The group of an artifact, by the rules above. `folder` is the folder that all its classes have
/// in common, `org/springframework/beans`.
pub(super) fn of(artifact: &str, version: &str, manifest: &Manifest, folder: &str) -> String {
    known(artifact, version)
        .map(str::to_owned)
        .or_else(|| before_artifact(manifest.symbolic_name.as_deref()?, artifact))
        .or_else(|| vendor(manifest.vendor_id.as_deref()?))
        .or_else(|| before_last_word(manifest.module_name.as_deref()?, artifact))
        .or_else(|| before_last_word(manifest.symbolic_name.as_deref()?, artifact))
        .or_else(|| of_folder(folder, artifact))
        .unwrap_or_else(|| artifact.to_owned())
}

/// The artifact that Tomcat's own libraries have on Central: `catalina.jar` of a Tomcat
/// installation is `tomcat-catalina`. Its bundle names are `org.apache.tomcat-ARTIFACT`.
pub(super) fn tomcat_artifact(manifest: &Manifest) -> Option<&str> {
    let rest = manifest.symbolic_name.as_deref()?.strip_prefix("org.apache.")?;
    (rest.starts_with("tomcat-") && is_artifact(rest)).then_some(rest)
}

/// Whether the text can be an artifact's id.
pub(super) fn is_artifact(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+'))
}

fn known(artifact: &str, version: &str) -> Option<&'static str> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => artifact.starts_with(prefix),
        None => artifact == pattern,
    };
    let major: u32 =
        version.split(['.', '-']).next().and_then(|text| text.parse().ok()).unwrap_or(0);
    MOVED
        .iter()
        .find(|(pattern, ..)| fits(pattern))
        .map(|(_, first, old, new)| if major >= *first { *new } else { *old })
        .or_else(|| OWN_GROUP.iter().find(|known| **known == artifact).copied())
        .or_else(|| KNOWN.iter().find(|(pattern, _)| fits(pattern)).map(|(_, group)| *group))
}

fn vendor(id: &str) -> Option<String> {
    let is_group = id.contains('.') && is_group(id) && !BROAD_GROUPS.contains(&id);
    is_group.then(|| id.to_owned())
}

fn before_artifact(name: &str, artifact: &str) -> Option<String> {
    let group = name.strip_suffix(artifact)?.strip_suffix('.')?;
    is_group(group).then(|| group.to_owned())
}

fn before_last_word(name: &str, artifact: &str) -> Option<String> {
    let (group, last) = name.rsplit_once('.')?;
    let word = artifact.rsplit(['-', '_', '.']).next()?;
    (last == word && group.contains('.') && is_group(group)).then(|| group.to_owned())
}

fn of_folder(folder: &str, artifact: &str) -> Option<String> {
    let name = folder.replace('/', ".");
    before_last_word(&name, artifact).or_else(|| {
        let is_group = name.contains('.') && is_group(&name) && !BROAD_GROUPS.contains(&&*name);
        is_group.then_some(name)
    })
}

fn is_group(text: &str) -> bool {
    is_artifact(text) && !text.starts_with('.') && !text.ends_with('.') && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_the_rules_in_their_order() {
        let manifest = |symbolic: &str, vendor: &str, module: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Manifest {
                symbolic_name: some(symbolic),
                vendor_id: some(vendor),
                module_name: some(module),
                ..Manifest::default()
            }
        };
        let none = || manifest("", "", "");
        for (artifact, version, manifest, folder, expected) in [
            ("spring-webmvc", "5.3.17", none(), "org/x", "org.springframework"),
            ("spring-boot-loader", "2.6.5", none(), "", "org.springframework.boot"),
            (
                "tomcat-embed-core",
                "9.0.30",
                manifest("org.apache.tomcat-embed-core", "", ""),
                "",
                "org.apache.tomcat.embed",
            ),
            ("groovy-json", "3.0.9", none(), "", "org.codehaus.groovy"),
            ("groovy-json", "4.0.1", none(), "", "org.apache.groovy"),
            ("hibernate-core", "6.1.0.Final", none(), "", "org.hibernate.orm"),
            (
                "commons-text",
                "1.9",
                manifest("org.apache.commons.commons-text", "org.apache", ""),
                "",
                "org.apache.commons",
            ),
            (
                "log4j-api",
                "2.14.1",
                manifest("org.apache.logging.log4j.api", "org.apache.logging.log4j", ""),
                "",
                "org.apache.logging.log4j",
            ),
            ("a-core", "1", manifest("", "", "org.acme.embed.core"), "", "org.acme.embed"),
            (
                "shiro-core",
                "1.4.0",
                manifest("org.apache.shiro.core", "org.apache", ""),
                "",
                "org.apache.shiro",
            ),
            ("thing-x", "1", none(), "org/acme/thing/x", "org.acme.thing"),
            ("thing", "1", none(), "org/acme/other", "org.acme.other"),
            ("commons-io", "2.4", manifest("", "org.apache", ""), "org/apache", "commons-io"),
            ("junit", "3.8", none(), "", "junit"),
            ("junit", "3.8", manifest("", "The JUnit Team", "junit"), "junit", "junit"),
        ] {
            assert_eq!(of(artifact, version, &manifest, folder), expected, "{artifact} {version}");
        }
    }

    #[test]
    fn tomcats_own_libraries_are_named_as_on_central() {
        let manifest =
            |name: &str| Manifest { symbolic_name: Some(name.into()), ..Manifest::default() };
        assert_eq!(
            tomcat_artifact(&manifest("org.apache.tomcat-catalina")),
            Some("tomcat-catalina")
        );
        assert_eq!(tomcat_artifact(&manifest("org.apache.shiro.core")), None);
        assert_eq!(tomcat_artifact(&Manifest::default()), None);
    }
}

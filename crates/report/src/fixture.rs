//! An inventory and an assessment for the tests of all formats, with one of everything.

use jiff::Timestamp;

use pratique_model::{
    AdvisoryReference, Assessment, Comparison, Cvss, DataPart, DiffId, Distro, Ecosystem, Epss,
    Explanation, Finding, IndexReport, KnownExploited, Package, PartId, Partial, Severity,
    SourcePackage, Status, Suppressed, Suppression, Target, Unassessed,
};

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn layer(digit: char) -> DiffId {
    format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest")
}

pub(crate) fn package(ecosystem: Ecosystem, name: &str, version: &str) -> Package {
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        arch: None,
        source: None,
        module: None,
        vendor: None,
        layer: Some(layer('a')),
        paths: vec!["/lib/apk/db/installed".to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: "test",
    }
}

/// Alpine with openssl, an npm package and one that nobody covers.
pub(crate) fn report() -> IndexReport {
    let mut libssl = package(Ecosystem::Apk, "libssl1.1", "1.1.1d-r0");
    libssl.arch = Some("x86_64".to_owned());
    libssl.source =
        Some(SourcePackage { name: "openssl".to_owned(), version: "1.1.1d-r0".to_owned() });
    let mut angular = package(Ecosystem::Npm, "@angular/core", "17.0.0\u{1b}[31m");
    angular.paths = vec!["/app/node_modules/@angular/core/package.json".to_owned()];
    let mut gem = package(Ecosystem::Gem, "rake", "13.0.6");
    gem.layer = None;
    gem.owned_by = Some("ruby-rake".to_owned());
    IndexReport {
        target: Target {
            reference: "/tmp/images/alpine.tar".to_owned(),
            digest: Some(layer('b').0),
            image_id: None,
            platform: Some("linux/amd64".parse().expect("a platform")),
            source: "oci-archive".to_owned(),
            layers: vec![layer('a')],
        },
        distro: Some(Distro {
            id: "alpine".to_owned(),
            version: "3.10.3".to_owned(),
            name: "Alpine Linux v3.10".to_owned(),
            eol: Some("2021-05-01".parse().expect("a date")),
            ..Distro::default()
        }),
        packages: vec![libssl, angular, gem],
        partial: vec![Partial {
            layer: Some(layer('a')),
            path: Some("/app/huge.jar".to_owned()),
            problem: "larger than 1 GiB".to_owned(),
        }],
    }
}

pub(crate) fn finding(id: &str, package_index: usize, installed: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        aliases: Vec::new(),
        package_index,
        installed: installed.to_owned(),
        fixed: None,
        status: Status::Affected,
        remark: None,
        severity: Severity::Unknown,
        severity_source: None,
        cvss: None,
        epss: None,
        kev: None,
        risk: 1.0,
        advisory: AdvisoryReference { source: "alpine".to_owned(), id: id.to_owned(), url: None },
        unparsable: None,
        explanation: Explanation {
            looked_up: "source package openssl in alpine:3.10".to_owned(),
            compared: installed.to_owned(),
            range: "every version".to_owned(),
            comparison: Comparison::Everything,
            part: PartId::new("alpine", "v3.10"),
            as_of: time("2026-08-01T00:00:00Z"),
            severity: "nobody rates it".to_owned(),
        },
    }
}

fn rated() -> Finding {
    let mut rated = finding("CVE-2020-1967", 0, "1.1.1d-r0");
    rated.aliases = vec!["ALPINE-13661".to_owned()];
    rated.fixed = Some("1.1.1g-r0".to_owned());
    rated.status = Status::Fixed;
    rated.severity = Severity::High;
    rated.severity_source = Some("nvd".to_owned());
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";
    rated.cvss = Some(Cvss::parse(vector, "nvd").expect("a vector"));
    rated.epss = Some(Epss {
        vulnerability: rated.id.clone(),
        score: 0.5372,
        percentile: 0.9791,
        date: "2026-08-20".parse().expect("a date"),
    });
    rated.kev = Some(KnownExploited {
        vulnerability: rated.id.clone(),
        added: "2022-03-03".parse().expect("a date"),
        due: Some("2022-03-24".parse().expect("a date")),
        ransomware: false,
    });
    rated.risk = 67.5;
    rated.advisory.url = Some("https://security.alpinelinux.org/vuln/CVE-2020-1967".to_owned());
    rated.explanation.range = "< 1.1.1g-r0".to_owned();
    rated.explanation.comparison = Comparison::Ordered(Ecosystem::Apk);
    rated.explanation.severity = "nvd CVSS 3.1 base score 7.5".to_owned();
    rated
}

/// One finding of each look, one suppressed, one gap, old data.
pub(crate) fn assessment() -> Assessment {
    let mut doubtful = finding("GHSA-xxxx-yyyy-zzzz", 1, "17.0.0\u{1b}[31m");
    doubtful.severity = Severity::Critical;
    doubtful.severity_source = Some("ghsa".to_owned());
    doubtful.unparsable = Some("npm version \"17.0.0\\u{1b}[31m\": not a version".to_owned());
    doubtful.explanation.looked_up = "package @angular/core in npm".to_owned();
    doubtful.explanation.comparison = Comparison::Unknown;
    doubtful.explanation.severity = "ghsa says critical".to_owned();
    let mut refused = finding("CVE-2019-0001", 0, "1.1.1d-r0");
    refused.status = Status::WillNotFix;
    refused.remark = Some("not worth it".to_owned());
    let mut suppressed = finding("CVE-2019-0002", 0, "1.1.1d-r0");
    suppressed.status = Status::NotAffected;
    let part = |source: &str, part: &str, as_of: &str, is_stale: bool| DataPart {
        part: PartId::new(source, part),
        as_of: time(as_of),
        generation: 3,
        is_stale,
    };
    Assessment {
        findings: vec![rated(), doubtful, refused],
        suppressed: vec![Suppressed { finding: suppressed, reason: Suppression::NotAffected }],
        unassessed: vec![Unassessed {
            ecosystem: Ecosystem::Gem,
            release: None,
            package_count: 1,
            why: "no advisories for gem packages".to_owned(),
        }],
        data: vec![
            part("alpine", "v3.10", "2026-08-01T00:00:00Z", true),
            part("kev", "kev", "2026-08-20T10:00:00Z", false),
        ],
        end_of_life: Some("2021-05-01".parse().expect("a date")),
    }
}

//! Texts in the form of every distribution that is told apart, and of some that are none.

use super::*;

fn texts(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    for (path, _) in files {
        assert!(is_identity(path), "{path} is not read");
    }
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Expects `id version codename eol release`, each `-` if there is none.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &str) {
    let distro = identify(&texts(files)).expect("a distribution");
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let got = format!(
        "{} {} {} {} {}",
        distro.id,
        or_dash(&distro.version),
        or_dash(distro.codename.as_deref().unwrap_or("")),
        or_dash(&distro.eol.map(|date| date.to_string()).unwrap_or_default()),
        distro.release(),
    );
    assert_eq!(got, expected, "{files:?}");
}

#[test]
fn os_release_names_the_distribution() {
    for (text, expected) in [
        (
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
             VERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n",
            "debian 12 bookworm 2028-06-30 debian:12",
        ),
        (
            "PRETTY_NAME=\"Distroless\"\nNAME=\"Debian GNU/Linux\"\nID=\"debian\"\n\
             VERSION_ID=\"11\"\n",
            "debian 11 - 2026-08-31 debian:11",
        ),
        (
            "NAME=\"Ubuntu\"\nVERSION=\"18.04.6 LTS (Bionic Beaver)\"\nID=ubuntu\nID_LIKE=debian\n\
             VERSION_ID=\"18.04\"\nVERSION_CODENAME=bionic\nUBUNTU_CODENAME=bionic\n",
            "ubuntu 18.04 bionic 2023-05-31 ubuntu:18.04",
        ),
        ("ID=\"almalinux\"\nVERSION_ID=\"8.5\"\n", "almalinux 8.5 - 2029-05-31 almalinux:8"),
        ("ID=\"rocky\"\nVERSION_ID=\"9.4\"\n", "rocky 9.4 - 2032-05-31 rocky:9"),
        ("ID='rhel'\nVERSION_ID='9.3'\n", "rhel 9.3 - 2032-05-31 rhel:9"),
        ("ID=\"sles\"\nVERSION_ID=\"15.3\"\n", "sles 15.3 - - sles:15.3"),
        ("ID=mariner\nVERSION_ID=\"2.0\"\n", "mariner 2.0 - - mariner:2.0"),
        ("ID=azurelinux\nVERSION_ID=\"3.0\"\n", "azurelinux 3.0 - - azurelinux:3.0"),
        ("ID=photon\nVERSION_ID=5.0\n", "photon 5.0 - - photon:5.0"),
        ("ID=\"amzn\"\nVERSION_ID=\"2\"\n", "amzn 2 - 2026-06-30 amzn:2"),
        ("ID=wolfi\nVERSION_ID=\"20230201\"\n", "wolfi 20230201 - - wolfi"),
        ("ID=chainguard\nVERSION_ID=\"20230214\"\n", "chainguard 20230214 - - chainguard"),
        ("ID=alpine\nVERSION_ID=3.10.3\n", "alpine 3.10.3 - 2021-05-01 alpine:3.10"),
        (
            "ID=DEBIAN\nVERSION_ID=7\nVERSION=\"7 (wheezy)\"\n",
            "debian 7 wheezy 2018-05-31 debian:7",
        ),
    ] {
        check(&[(OS_RELEASE, text)], expected);
        check(&[(USR_OS_RELEASE, text)], expected);
    }
}

#[test]
fn etc_outranks_usr_and_nonsense_is_passed_over() {
    let usr = (USR_OS_RELEASE, "ID=debian\nVERSION_ID=12\n");
    check(&[(OS_RELEASE, "ID=rocky\nVERSION_ID=9.4\n"), usr], "rocky 9.4 - 2032-05-31 rocky:9");
    check(&[(OS_RELEASE, "NAME=nothing\n"), usr], "debian 12 - 2028-06-30 debian:12");
    assert_eq!(identify(&texts(&[(OS_RELEASE, "")])), None);
    assert_eq!(identify(&BTreeMap::new()), None);
}

#[test]
fn quotes_and_escapes_are_those_of_a_shell() {
    let text = "# ID=comment\nID=\"de\\\"b\"\nID=x\n NAME='a\"b\\c' \nVERSION_ID=\"1\\$\\`\\\\\"\n";
    let fields = assignments(text);
    assert_eq!(fields["ID"], "x");
    assert_eq!(fields["NAME"], "a\"b\\c");
    assert_eq!(fields["VERSION_ID"], "1$`\\");
    assert_eq!(unquote("\"open"), "open");
    assert_eq!(unquote("end\\"), "end");
}

#[test]
fn debian_without_a_version_is_known_by_its_codename() {
    let testing =
        "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n";
    check(&[(OS_RELEASE, testing)], "debian - forky - debian:14");
    check(
        &[(OS_RELEASE, &format!("{testing}VERSION_CODENAME=forky\n"))],
        "debian - forky - debian:14",
    );
    check(
        &[(OS_RELEASE, "ID=debian\n"), ("etc/debian_version", "forky/sid\n")],
        "debian - forky - debian:14",
    );
    check(&[(OS_RELEASE, "ID=debian\n")], "debian - - - debian:sid");
}

#[test]
fn alpines_repositories_outrank_its_version() {
    let said = |version: &str| format!("ID=alpine\nVERSION_ID={version}\n");
    let alpha = said("3.21.0_alpha20240923");
    for (repositories, expected) in [
        ("https://x/alpine/edge/main\nhttps://x/alpine/edge/community\n", "edge"),
        ("http://x/alpine/v3.9/main\nhttp://x/alpine/v3.18/main/\n", "3.18"),
        ("#http://x/alpine/v3.9/main\n/media/cdrom/apks\n", "edge"),
        ("", "edge"),
    ] {
        let files = [(OS_RELEASE, &*alpha), (REPOSITORIES, repositories)];
        let distro = identify(&texts(&files)).expect("alpine");
        assert_eq!(distro.version, expected, "{repositories:?}");
    }
    let stable = said("3.18.4");
    for (repositories, expected) in [
        ("http://x/alpine/v3.18/main\n@testing http://x/alpine/edge/testing\n", "3.18.4"),
        ("http://x/alpine/v3.18/main\nhttp://x/alpine/edge/testing\n", "3.18.4"),
        ("http://x/alpine/v3.18/main\nhttp://x/alpine/edge/main\n", "3.18.4"),
        ("http://x/alpine/edge/main\n", "edge"),
        ("http://x/alpine/v3.19/main\n", "3.19"),
        ("http://x/alpine/latest-stable/main\n", "3.18.4"),
        ("", "3.18.4"),
    ] {
        let files = [(OS_RELEASE, &*stable), (REPOSITORIES, repositories)];
        let distro = identify(&texts(&files)).expect("alpine");
        assert_eq!(distro.version, expected, "{repositories:?}");
    }
}

#[test]
fn relatives_serve_where_there_is_no_os_release() {
    for (path, text, expected) in [
        ("etc/alpine-release", "3.8.5\n", "alpine 3.8.5 - 2020-05-01 alpine:3.8"),
        ("etc/debian_version", "6.0.10\n", "debian 6 - 2016-02-29 debian:6"),
        ("etc/debian_version", "trixie/sid\n", "debian - trixie 2030-06-30 debian:13"),
        (
            "etc/lsb-release",
            "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=12.04\nDISTRIB_CODENAME=precise\n\
             DISTRIB_DESCRIPTION=\"Ubuntu 12.04.5 LTS\"\n",
            "ubuntu 12.04 precise 2017-04-28 ubuntu:12.04",
        ),
        (
            "etc/centos-release",
            "CentOS release 6.10 (Final)\n",
            "centos 6.10 - 2020-11-30 centos:6",
        ),
        (
            "etc/redhat-release",
            "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n",
            "rhel 6.10 - 2020-11-30 rhel:6",
        ),
        (
            "etc/system-release",
            "Amazon Linux AMI release 2018.03\n",
            "amzn 2018.03 - - amzn:2018.03",
        ),
        ("etc/photon-release", "VMware Photon Linux 1.0\nX=1\n", "photon 1.0 - - photon:1.0"),
        (
            "etc/mariner-release",
            "CBL-Mariner 2.0.20220226\n",
            "mariner 2.0.20220226 - - mariner:2.0",
        ),
        (
            "etc/SuSE-release",
            "SUSE Linux Enterprise Server 12 (x86_64)\nVERSION = 12\nPATCHLEVEL = 3\n",
            "sles 12.3 - - sles:12.3",
        ),
    ] {
        check(&[(path, text)], expected);
    }
    check(
        &[
            ("etc/redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n"),
            ("etc/oracle-release", "Oracle Linux Server release 6.10\n"),
        ],
        "ol 6.10 - - ol:6",
    );
}

#[test]
fn sentences_that_name_nothing_known_are_no_distribution() {
    for (path, text) in [
        ("etc/redhat-release", "Some Linux release 3\n"),
        ("etc/debian_version", "\n"),
        ("etc/alpine-release", "unknown\n"),
        ("etc/lsb-release", "DISTRIB_RELEASE=1\n"),
    ] {
        assert_eq!(identify(&texts(&[(path, text)])), None, "{text:?}");
    }
}

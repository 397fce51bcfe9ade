//! Until when a release gets security fixes without paying.
//!
//! The date is the last day on which the vendor itself, or the project's own volunteers, promise
//! security updates to everybody: Debian's includes its LTS (the tracker's data cover it),
//! Ubuntu's excludes Pro, Red Hat's is the end of the maintenance phase. What is not in the table
//! is not known here, which says nothing.

use jiff::civil::Date;
use pratique_model::Distro;

/// Release as the publisher names it; year, month, day. As of November 2026.
const DATES: [(&str, (i16, i8, i8)); 73] = [
    // <https://www.debian.org/releases/> and <https://wiki.debian.org/LTS>.
    ("debian:6", (2016, 2, 29)),
    ("debian:7", (2018, 5, 31)),
    ("debian:8", (2020, 6, 30)),
    ("debian:9", (2022, 6, 30)),
    ("debian:10", (2024, 6, 30)),
    ("debian:11", (2026, 8, 31)),
    ("debian:12", (2028, 6, 30)),
    ("debian:13", (2030, 6, 30)),
    // <https://ubuntu.com/about/release-cycle>, standard support.
    ("ubuntu:12.04", (2017, 4, 28)),
    ("ubuntu:14.04", (2019, 4, 25)),
    ("ubuntu:16.04", (2021, 4, 30)),
    ("ubuntu:17.10", (2018, 7, 19)),
    ("ubuntu:18.04", (2023, 5, 31)),
    ("ubuntu:18.10", (2019, 7, 18)),
    ("ubuntu:19.04", (2020, 1, 23)),
    ("ubuntu:19.10", (2020, 7, 17)),
    ("ubuntu:20.04", (2025, 5, 29)),
    ("ubuntu:20.10", (2021, 7, 22)),
    ("ubuntu:21.04", (2022, 1, 20)),
    ("ubuntu:21.10", (2022, 7, 14)),
    ("ubuntu:22.04", (2027, 6, 1)),
    ("ubuntu:22.10", (2023, 7, 20)),
    ("ubuntu:23.04", (2024, 1, 25)),
    ("ubuntu:23.10", (2024, 7, 11)),
    ("ubuntu:24.04", (2029, 5, 31)),
    ("ubuntu:24.10", (2025, 7, 10)),
    ("ubuntu:25.04", (2026, 1, 15)),
    ("ubuntu:25.10", (2026, 7, 9)),
    ("ubuntu:26.04", (2031, 5, 29)),
    // <https://alpinelinux.org/releases/>.
    ("alpine:3.0", (2016, 5, 1)),
    ("alpine:3.1", (2016, 11, 1)),
    ("alpine:3.2", (2017, 5, 1)),
    ("alpine:3.3", (2017, 11, 1)),
    ("alpine:3.4", (2018, 5, 1)),
    ("alpine:3.5", (2018, 11, 1)),
    ("alpine:3.6", (2019, 5, 1)),
    ("alpine:3.7", (2019, 11, 1)),
    ("alpine:3.8", (2020, 5, 1)),
    ("alpine:3.9", (2020, 11, 1)),
    ("alpine:3.10", (2021, 5, 1)),
    ("alpine:3.11", (2021, 11, 1)),
    ("alpine:3.12", (2022, 5, 1)),
    ("alpine:3.13", (2022, 11, 1)),
    ("alpine:3.14", (2023, 5, 1)),
    ("alpine:3.15", (2023, 11, 1)),
    ("alpine:3.16", (2024, 5, 23)),
    ("alpine:3.17", (2024, 11, 22)),
    ("alpine:3.18", (2025, 5, 9)),
    ("alpine:3.19", (2025, 11, 1)),
    ("alpine:3.20", (2026, 4, 1)),
    ("alpine:3.21", (2026, 11, 1)),
    ("alpine:3.22", (2027, 5, 1)),
    ("alpine:3.23", (2027, 11, 1)),
    ("alpine:3.24", (2028, 6, 1)),
    // <https://wiki.almalinux.org/release-notes/>, <https://wiki.rockylinux.org/rocky/version/>.
    ("almalinux:8", (2029, 5, 31)),
    ("almalinux:9", (2032, 5, 31)),
    ("almalinux:10", (2035, 5, 31)),
    ("rocky:8", (2029, 5, 31)),
    ("rocky:9", (2032, 5, 31)),
    ("rocky:10", (2035, 5, 31)),
    // <https://access.redhat.com/support/policy/updates/errata>.
    ("rhel:5", (2017, 3, 31)),
    ("rhel:6", (2020, 11, 30)),
    ("rhel:7", (2024, 6, 30)),
    ("rhel:8", (2029, 5, 31)),
    ("rhel:9", (2032, 5, 31)),
    ("rhel:10", (2035, 5, 31)),
    // <https://www.centos.org/centos-linux-eol/>; Stream is told apart below.
    ("centos:5", (2017, 3, 31)),
    ("centos:6", (2020, 11, 30)),
    ("centos:7", (2024, 6, 30)),
    ("centos:8", (2021, 12, 31)),
    // <https://www.centos.org/cl-vs-cs/>.
    ("centos stream:8", (2024, 5, 31)),
    ("centos stream:9", (2027, 5, 31)),
    // <https://aws.amazon.com/amazon-linux-2/faqs/>.
    ("amzn:2", (2026, 6, 30)),
];

/// The last day of free security support of a release, if it is in the table.
pub fn date(distro: &Distro) -> Option<Date> {
    let release = distro.release();
    let is_stream = distro.id == "centos" && distro.name.contains("Stream");
    let stream = format!("centos stream:{}", release.version());
    let wanted = if is_stream { &stream } else { release.as_str() };
    let (_, (year, month, day)) = DATES.iter().find(|(name, _)| *name == wanted)?;
    Date::new(*year, *month, *day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_in_the_table_is_one_and_no_release_stands_twice() {
        for (index, (release, (year, month, day))) in DATES.iter().enumerate() {
            assert!(Date::new(*year, *month, *day).is_ok(), "{release}");
            assert!(DATES[..index].iter().all(|(other, _)| other != release), "{release}");
        }
    }

    #[test]
    fn stream_ends_on_a_day_of_its_own() {
        let distro = |name: &str| Distro {
            id: "centos".to_owned(),
            version: "8".to_owned(),
            name: name.to_owned(),
            ..Distro::default()
        };
        let date = |name| date(&distro(name)).map(|date| date.to_string());
        assert_eq!(date("CentOS Linux 8").as_deref(), Some("2021-12-31"));
        assert_eq!(date("CentOS Stream 8").as_deref(), Some("2024-05-31"));
    }
}

//! Which distribution an image is made from.

use jiff::civil::Date;

use crate::{Ecosystem, Release};

/// A distribution as its os-release (or a relative of it) tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distro {
    /// `ID`, lower case: `debian`, `alpine`, `almalinux`.
    pub id: String,
    /// `VERSION_ID`, as written: `12`, `3.10.3`, `8.5`; empty if there is none. `edge` for Alpine
    /// edge, whatever its `VERSION_ID` says.
    pub version: String,
    /// `VERSION_CODENAME`: `bookworm`; `None` if the distribution has none.
    pub codename: Option<String>,
    /// `PRETTY_NAME`, or id and version.
    pub name: String,
    /// `ID_LIKE`, in its order.
    pub id_like: Vec<String>,
    /// The last day of the vendor's free security support, where known.
    pub eol: Option<Date>,
}

impl Distro {
    /// The release under which the publisher's advisories speak of this distribution.
    ///
    /// Debian, AlmaLinux, Rocky and Red Hat's family: the major version; Alpine: `major.minor` or
    /// `edge`; Wolfi and Chainguard: the bare id; Ubuntu, Mariner, Azure Linux and all others: the
    /// version as written. A Debian without version (testing, unstable) has the number of
    /// its codename, `forky` is `debian:14`; without a codename it is `debian:sid`.
    pub fn release(&self) -> Release {
        let first = |count: usize| -> String {
            self.version.split('.').take(count).collect::<Vec<_>>().join(".")
        };
        match self.id.as_str() {
            "wolfi" | "chainguard" => Release::new(&self.id, ""),
            "debian" if self.version.is_empty() => {
                let codename = self.codename.as_deref().unwrap_or("sid");
                Release::debian(codename).unwrap_or_else(|| Release::new("debian", codename))
            }
            "debian" | "almalinux" | "rocky" | "rhel" | "centos" | "ol" | "fedora" => {
                Release::new(&self.id, &first(1))
            }
            "alpine" if self.version == "edge" => Release::new("alpine", "edge"),
            "alpine" | "mariner" | "azurelinux" | "photon" => Release::new(&self.id, &first(2)),
            _ => Release::new(&self.id, &self.version),
        }
    }

    /// The ecosystem of the distribution's own packages, guessed from id and relatives; `None` for
    /// a distribution that we do not know.
    pub fn ecosystem(&self) -> Option<Ecosystem> {
        std::iter::once(self.id.as_str()).chain(self.id_like.iter().map(String::as_str)).find_map(
            |id| match id {
                "debian" | "ubuntu" => Some(Ecosystem::Deb),
                "alpine" | "wolfi" | "chainguard" | "postmarketos" => Some(Ecosystem::Apk),
                "almalinux"
                | "rocky"
                | "rhel"
                | "centos"
                | "fedora"
                | "ol"
                | "amzn"
                | "sles"
                | "suse"
                | "opensuse"
                | "mariner"
                | "azurelinux"
                | "photon"
                | "opensuse-leap"
                | "opensuse-tumbleweed" => Some(Ecosystem::Rpm),
                _ => None,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, version: &str, release: &str) {
        let distro = Distro { id: id.to_owned(), version: version.to_owned(), ..Distro::default() };
        assert_eq!(distro.release().as_str(), release, "{id} {version}");
    }

    #[test]
    fn release_has_the_publishers_granularity() {
        check("debian", "12", "debian:12");
        check("debian", "", "debian:sid");
        check("ubuntu", "18.04", "ubuntu:18.04");
        check("alpine", "3.10.3", "alpine:3.10");
        check("alpine", "edge", "alpine:edge");
        check("almalinux", "8.5", "almalinux:8");
        check("mariner", "2.0.20220226", "mariner:2.0");
        check("azurelinux", "3.0", "azurelinux:3.0");
        check("wolfi", "20230201", "wolfi");
        check("sles", "15.3", "sles:15.3");
    }
}

//! Keeps tests from talking to anything but this machine.
//!
//! Three checks, because no single one sees everything: the host in the URL (an address there
//! never reaches the resolver), the addresses that a name resolves to, and the address that the
//! answer really came from.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names by the system, and refuses those that lead off this machine.
pub(crate) struct LoopbackResolver;

/// A name that leads off this machine.
#[derive(Debug, thiserror::Error)]
#[error("{name:?} resolves to {address}, which is not this machine")]
struct Elsewhere {
    name: String,
    address: IpAddr,
}

impl Resolve for LoopbackResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if let Some(address) = found.iter().find(|address| !address.ip().is_loopback()) {
                let name = name.as_str().to_owned();
                return Err(Elsewhere { name, address: address.ip() }.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether the host of `url` may be asked as far as its text tells: names are looked at later.
pub(crate) fn allows(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or(!host.is_empty(), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_elsewhere_are_refused_by_their_text() {
        let allowed = |text: &str| allows(&Url::parse(text).expect("a URL"));
        for good in ["http://127.0.0.1:1/", "http://127.8.8.8/", "http://[::1]/", "http://name/"] {
            assert!(allowed(good), "{good}");
        }
        for bad in ["http://192.0.2.1/", "http://[2001:db8::1]/", "http://0.0.0.0/", "http://8/"] {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn names_that_lead_elsewhere_are_refused() {
        let resolve = |name: &str| LoopbackResolver.resolve(name.parse().expect("a name"));
        let found: Vec<SocketAddr> = resolve("localhost").await.expect("loopback").collect();
        assert!(!found.is_empty());
        // The system's resolver takes this for an address and asks nobody.
        let error = resolve("192.0.2.1").await.err().expect("refused");
        assert!(error.to_string().contains("192.0.2.1"), "{error}");
    }
}

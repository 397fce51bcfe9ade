//! A cluster that clients can reach by TCP on the loopback, by TLS only.
//!
//! Its certificate is for the name `localhost` and by an authority of its own; `openssl` makes both
//! when the cluster is made. A second authority, which signed nothing, is for clients that must not
//! be satisfied.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::{Cluster, Durability, ROLE, absent};
use crate::component;

/// Makes what is needed in the present folder, readable for whoever runs it alone.
const MAKE_CERTIFICATES: &str = r#"
set -e
umask 077
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
for name in authority stranger; do
    openssl req -x509 $key -days 2 -keyout $name.key -out $name.pem -subj /CN=$name
done
openssl req $key -keyout server.key -out server.csr -subj /CN=localhost
echo subjectAltName=DNS:localhost > server.ext
openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
    -out server.pem -extfile server.ext
chmod 644 *.pem
"#;

/// Who may come from where: everybody by the socket, by TCP only with TLS.
const RULES: &str =
    "local all all trust\nhostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n";

/// A running PostgreSQL that speaks TLS on a port of the loopback.
pub struct TlsCluster {
    cluster: Cluster,
    port: u16,
}

impl TlsCluster {
    /// Makes and starts one; `None`, said loudly, where PostgreSQL or `openssl` is absent.
    ///
    /// # Panics
    /// When it cannot be started; its log is part of the message.
    pub fn start() -> Option<Self> {
        let Some(mut cluster) = Cluster::made(Durability::None) else {
            absent();
            return None;
        };
        let output = cluster
            .command(Path::new("/bin/sh"))
            .args(["-c", MAKE_CERTIFICATES])
            .stdin(Stdio::null())
            .output()
            .expect("a shell can be started");
        if !output.status.success() {
            component::absent("openssl", &String::from_utf8_lossy(&output.stderr));
            return None;
        }
        fs::write(cluster.folder.join("data/pg_hba.conf"), RULES).expect("can be written");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback is there");
        let port = listener.local_addr().expect("the listener is bound").port();
        // PostgreSQL cannot take a listener over, so the port is free for a moment.
        drop(listener);
        cluster.port = Some(port);
        cluster.run();
        Some(Self { cluster, port })
    }

    /// The cluster, for statements by its socket.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The URL of a database by TCP at this name of the machine, with options of libpq
    /// (`sslmode=require`), separated by `&`.
    pub fn url(&self, host: &str, database: &str, options: &str) -> String {
        format!("postgres://{ROLE}@{host}:{}/{database}?{options}", self.port)
    }

    /// The file with the authority that signed the server's certificate.
    pub fn authority(&self) -> PathBuf {
        self.cluster.folder.join("authority.pem")
    }

    /// The file with an authority that did not.
    pub fn stranger(&self) -> PathBuf {
        self.cluster.folder.join("stranger.pem")
    }
}

/// What makes a server speak TLS on this port of the loopback.
pub(super) fn settings(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "-c listen_addresses=localhost -c port={port} -c ssl=on \
         -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key"
    )
}

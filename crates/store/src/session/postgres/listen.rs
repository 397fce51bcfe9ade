//! Hears what others tell by `NOTIFY`, on a connection of its own and without blocking.

use std::convert::Infallible;
use std::pin::pin;

use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Config, NoTls, Socket};

use super::connection::{CONNECT_TIMEOUT, Server};
use crate::{Cause, StoreError};

/// The connection ended without an error of its own.
#[derive(Debug, thiserror::Error)]
#[error("the server closed the connection")]
struct Closed;

impl Server {
    /// Listens to channels, whose names are plain words, until the connection is lost. `hear` is
    /// called with `None` as soon as nothing will be missed, then with each channel that was
    /// notified. Cancel-safe; dropping it ends the listening.
    pub(crate) async fn listen(
        &self,
        channels: &[&str],
        hear: impl FnMut(Option<&str>),
    ) -> Result<Infallible, StoreError> {
        let sql: String = channels.iter().map(|channel| format!("LISTEN {channel};")).collect();
        let lost = match self.tls() {
            Ok(Some(tls)) => listen(self.config(), tls, &sql, hear).await,
            Ok(None) => listen(self.config(), NoTls, &sql, hear).await,
            Err(error) => Err(error),
        };
        lost.map_err(|source| StoreError::Connect { address: self.shown().to_owned(), source })
    }
}

async fn listen<T>(
    config: &Config,
    tls: T,
    sql: &str,
    mut hear: impl FnMut(Option<&str>),
) -> Result<Infallible, Cause>
where
    T: MakeTlsConnect<Socket>,
{
    let (client, mut connection) = timeout(CONNECT_TIMEOUT, config.connect(tls)).await??;
    let mut beginning = pin!(timeout(CONNECT_TIMEOUT, client.batch_execute(sql)));
    let mut is_listening = false;
    loop {
        tokio::select! {
            begun = &mut beginning, if !is_listening => {
                begun??;
                is_listening = true;
                hear(None);
            }
            message = std::future::poll_fn(|context| connection.poll_message(context)) => {
                match message {
                    Some(Ok(AsyncMessage::Notification(notification))) => {
                        hear(Some(notification.channel()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(Closed.into()),
                }
            }
        }
    }
}

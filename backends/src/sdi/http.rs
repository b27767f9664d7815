//! HTTP to one server: a few connections, used again and again.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tollgate_aaa::pool::{Place, Pool};
use tollgate_aaa::{Layer, Unavailable};
use zeroize::Zeroizing;

use super::{SdiError, SdiSettings};
use crate::net::Endpoint;
use crate::tls::{Tls, Versions};

/// Connections to one server at once.
const MOST_CONNECTIONS: usize = 32;
/// A connection that stood idle for longer is opened anew: servers close theirs without a word.
const IDLE_LIMIT: Duration = Duration::from_secs(20);
/// Octets of an answer at most.
const LONGEST_ANSWER: usize = 64 * 1024;

pub(super) type Connection = SendRequest<Full<Bytes>>;

pub(super) struct Client {
    endpoint: Endpoint,
    address: String,
    authority: HeaderValue,
    /// Of the URL, without a slash at its end.
    path: String,
    key: HeaderValue,
    tls: Tls,
    pool: Pool<Connection>,
}

/// Why a question on a connection has no answer.
enum Failure {
    /// The connection was no longer good: on another the question may be asked again.
    Stale(String),
    Final(Unavailable),
}

impl Client {
    pub(super) fn new(settings: &SdiSettings) -> Result<Self, SdiError> {
        let bad_url = || SdiError::BadUrl(settings.url.clone());
        let url: Uri = settings.url.parse().map_err(|_| bad_url())?;
        let (Some("https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(bad_url());
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || url.query().is_some() || authority.as_str().contains('@') {
            return Err(bad_url());
        }
        let endpoint = Endpoint { host, port: authority.port_u16().unwrap_or(443) };
        let address = endpoint.to_string();
        if settings.client_key.is_empty() {
            return Err(SdiError::NoKey(address));
        }
        let mut key =
            HeaderValue::from_bytes(&settings.client_key).map_err(|_| SdiError::BadKey(address.clone()))?;
        key.set_sensitive(true);
        let tls = Tls::new(&settings.tls, &endpoint.host, Versions::FromTls12)
            .map_err(|why| SdiError::Tls(address.clone(), why))?;
        Ok(Self {
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| bad_url())?,
            path: url.path().trim_end_matches('/').to_owned(),
            pool: Pool::new(MOST_CONNECTIONS, IDLE_LIMIT),
            endpoint,
            address,
            key,
            tls,
        })
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits for one of the connections.
    pub(super) async fn place(&self, deadline: Instant) -> Result<Place<'_, Connection>, Unavailable> {
        let place = self.pool.take(deadline).await;
        place.map_err(|busy| Unavailable::new(Layer::Connection, format!("{}: {busy}", self.address)))
    }

    /// `POST {url}/authn/{what}`; gives the body of a 200.
    pub(super) async fn post(
        &self,
        mut place: Place<'_, Connection>,
        what: &str,
        question: Zeroizing<Vec<u8>>,
        deadline: Instant,
    ) -> Result<Bytes, Unavailable> {
        if let Some(mut connection) = place.reused() {
            match self.ask(&mut connection, what, &question, deadline).await {
                Ok(body) => {
                    place.keep(connection);
                    return Ok(body);
                }
                // It was closed while it stood idle.
                Err(Failure::Stale(_)) => {}
                Err(Failure::Final(unavailable)) => return Err(unavailable),
            }
        }
        let mut connection = self.open(deadline).await?;
        match self.ask(&mut connection, what, &question, deadline).await {
            Ok(body) => {
                place.keep(connection);
                Ok(body)
            }
            Err(Failure::Stale(why)) => {
                let why = format!("{} ended the connection: {why}", self.address);
                Err(Unavailable::new(Layer::Protocol, why))
            }
            Err(Failure::Final(unavailable)) => Err(unavailable),
        }
    }

    async fn open(&self, deadline: Instant) -> Result<Connection, Unavailable> {
        let stream = self.endpoint.connect(deadline).await?;
        let stream = self.tls.connect(stream, &self.address, deadline).await?;
        match timeout_at(deadline, handshake(TokioIo::new(stream))).await {
            Ok(Ok((sender, driver))) => {
                // It ends with the sender or with the connection.
                tokio::spawn(async move {
                    let _ = driver.await;
                });
                Ok(sender)
            }
            Ok(Err(error)) => Err(self.unavailable(Layer::Protocol, error)),
            Err(_) => Err(self.unavailable(Layer::Connection, "it did not answer within the timeout")),
        }
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        what: &str,
        question: &Zeroizing<Vec<u8>>,
        deadline: Instant,
    ) -> Result<Bytes, Failure> {
        let exchange = async {
            connection.ready().await.map_err(|error| Failure::Stale(error.to_string()))?;
            let request = Request::post(format!("{}/authn/{what}", self.path))
                .header(HOST, self.authority.clone())
                .header(HeaderName::from_static("client-key"), self.key.clone())
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .header(ACCEPT, HeaderValue::from_static("application/json"))
                // The library keeps a copy of its own, which nothing wipes.
                .body(Full::new(Bytes::copy_from_slice(question)))
                .map_err(|error| Failure::Final(self.unavailable(Layer::Configuration, error)))?;
            let answer = connection.send_request(request).await.map_err(|error| {
                if error.is_canceled() || error.is_closed() || error.is_incomplete_message() {
                    Failure::Stale(error.to_string())
                } else {
                    Failure::Final(self.unavailable(Layer::Protocol, error))
                }
            })?;
            self.judge(answer.status()).map_err(Failure::Final)?;
            let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
            body.map(|body| body.to_bytes())
                .map_err(|error| Failure::Final(self.unavailable(Layer::Protocol, error)))
        };
        timeout_at(deadline, exchange).await.unwrap_or_else(|_| {
            let words = "it took the question and did not answer within the timeout";
            Err(Failure::Final(self.unavailable(Layer::Connection, words)))
        })
    }

    fn judge(&self, status: StatusCode) -> Result<(), Unavailable> {
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let words = format!("it refuses our client-key, or does not know our client-id ({status})");
                Err(self.unavailable(Layer::Secret, words))
            }
            StatusCode::NOT_FOUND => {
                Err(self.unavailable(Layer::Protocol, "there is no such API at this URL (404 Not Found)"))
            }
            other => Err(self.unavailable(Layer::Protocol, format!("it answers {other}"))),
        }
    }

    fn unavailable(&self, layer: Layer, what: impl std::fmt::Display) -> Unavailable {
        Unavailable::new(layer, format!("{}: {what}", self.address))
    }
}

//! The ways to a server: pooled connections to the configured one, new ones to those of referrals.

use tokio::time::Instant;
use tollgate_aaa::pool::{Place, Pool};
use tollgate_aaa::{Layer, Secret, Unavailable};
use tracing::debug;

use super::super::Security;
use super::super::connection::{Connection, Failure, Found, Protection};
use super::super::message::{Outcome, Search};
use super::super::refusal;
use super::{Bound, Directory, Eyes};
use crate::net::Endpoint;
use crate::tls::{Tls, Versions};

impl Directory {
    /// Searches with the eyes of this login.
    pub(super) async fn look(
        &self,
        search: &Search,
        eyes: &mut Eyes<'_>,
        deadline: Instant,
    ) -> Result<Found, Failure> {
        match eyes {
            Eyes::Own(bound) => bound.connection.search(search, deadline).await,
            Eyes::Service(Some(server)) => {
                let mut connection = self.open_for_search(server, deadline).await?;
                connection.search(search, deadline).await
            }
            Eyes::Service(None) => {
                let mut place = self.place(&self.searching, deadline).await?;
                let mut idle = place.reused();
                loop {
                    let (mut connection, fresh) = match idle.take() {
                        Some(connection) => (connection, false),
                        None => (self.open_for_search(&self.settings.endpoint, deadline).await?, true),
                    };
                    match connection.search(search, deadline).await {
                        Ok(found) => {
                            if found.complete {
                                place.keep(connection);
                            }
                            return Ok(found);
                        }
                        Err(Failure::Closed(why)) if !fresh => debug!(why, "opening the connection again"),
                        Err(failure) => return Err(failure),
                    }
                }
            }
        }
    }

    /// Binds as the user, on a connection that nobody searches on.
    pub(super) async fn bind(
        &self,
        name: &str,
        password: &Secret,
        server: Option<&Endpoint>,
        deadline: Instant,
    ) -> Result<(Bound<'_>, Outcome), Failure> {
        if let Some(server) = server {
            let mut connection = self.open(server, deadline).await?;
            let outcome = connection.bind(name, password, deadline).await?;
            return Ok((Bound { connection, place: None }, outcome));
        }
        let mut place = self.place(&self.binding, deadline).await?;
        let mut idle = place.reused();
        loop {
            let (mut connection, fresh) = match idle.take() {
                Some(connection) => (connection, false),
                None => (self.open(&self.settings.endpoint, deadline).await?, true),
            };
            match connection.bind(name, password, deadline).await {
                Ok(outcome) => return Ok((Bound { connection, place: Some(place) }, outcome)),
                Err(Failure::Closed(why)) if !fresh => debug!(why, "opening the connection again"),
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn place<'a>(
        &self,
        pool: &'a Pool<Connection>,
        deadline: Instant,
    ) -> Result<Place<'a, Connection>, Failure> {
        pool.take(deadline).await.map_err(|busy| {
            let why = format!("{}: {busy}", self.settings.endpoint);
            Failure::Unavailable(Unavailable::new(Layer::Connection, why))
        })
    }

    async fn open(&self, server: &Endpoint, deadline: Instant) -> Result<Connection, Failure> {
        // In a box, since logins that wait for a place are many, and need no room for a handshake.
        if *server == self.settings.endpoint {
            return Box::pin(Connection::open(server, &self.protection, deadline)).await;
        }
        let protection = elsewhere(&self.settings.security, &server.host)
            .map_err(|why| Unavailable::new(Layer::Tls, why))?;
        Box::pin(Connection::open(server, &protection, deadline)).await
    }

    /// Opens a connection and binds our own account on it.
    async fn open_for_search(&self, server: &Endpoint, deadline: Instant) -> Result<Connection, Failure> {
        let mut connection = self.open(server, deadline).await?;
        if let Some((login, password)) = &self.settings.login {
            let outcome = connection.bind(login, password, deadline).await?;
            if outcome.code != refusal::SUCCESS {
                return Err(refusal::service_refused(&outcome, &server.to_string(), login).into());
            }
        }
        Ok(connection)
    }
}

pub(super) fn protection(security: &Security, host: &str) -> Result<Protection, String> {
    Ok(match security {
        Security::Clear => Protection::Clear,
        Security::StartTls(settings) => Protection::StartTls(Tls::new(settings, host, Versions::FromTls12)?),
        Security::Ldaps(settings) => Protection::Ldaps(Tls::new(settings, host, Versions::FromTls12)?),
    })
}

/// The same for the server of a referral, whose certificate must carry its own name.
fn elsewhere(security: &Security, host: &str) -> Result<Protection, String> {
    let mut security = security.clone();
    match &mut security {
        Security::StartTls(settings) | Security::Ldaps(settings) => settings.server_name = None,
        Security::Clear => {}
    }
    protection(&security, host)
}

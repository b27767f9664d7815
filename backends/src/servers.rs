//! The servers of a group as configured, whatever their kind: one variant for each row of the type matrix.

use std::sync::Arc;

use tokio::runtime::Handle;
use tollgate_aaa::{Backend, ServerType};

use crate::kerberos::{KerberosBackend, KerberosSettings};
use crate::ldap::{LdapBackend, LdapSettings};
use crate::nt::{NtBackend, NtSettings};
use crate::radius::{RadiusBackend, RadiusSettings};
use crate::sdi::{SdiBackend, SdiSettings};
use crate::tacacs::{TacacsBackend, TacacsSettings};

/// The servers of one group, in order.
#[derive(Debug, Clone)]
pub enum Servers {
    /// The local user file: the one that the whole configuration shares.
    Local,
    /// RADIUS servers.
    Radius(Vec<RadiusSettings>),
    /// TACACS+ servers.
    TacacsPlus(Vec<TacacsSettings>),
    /// LDAP directories.
    Ldap(Vec<LdapSettings>),
    /// Domain controllers, asked by NTLM.
    Nt(Vec<NtSettings>),
    /// Kerberos KDCs.
    Kerberos(Vec<KerberosSettings>),
    /// Servers of SecurID passcodes.
    Sdi(Vec<SdiSettings>),
}

impl Servers {
    /// Their row of the type matrix.
    pub fn server_type(&self) -> ServerType {
        match self {
            Self::Local => ServerType::Local,
            Self::Radius(_) => ServerType::Radius,
            Self::TacacsPlus(_) => ServerType::TacacsPlus,
            Self::Ldap(_) => ServerType::Ldap,
            Self::Nt(_) => ServerType::Nt,
            Self::Kerberos(_) => ServerType::Kerberos,
            Self::Sdi(_) => ServerType::Sdi,
        }
    }

    /// Makes them ready to be asked. `nas` is how this server names itself to those who want to know. An error says
    /// which server cannot be used and why.
    pub fn open(&self, nas: &str, runtime: &Handle) -> Result<Vec<Arc<dyn Backend>>, String> {
        match self {
            Self::Local => Ok(Vec::new()),
            Self::Radius(servers) => each(servers, |settings| {
                let settings = RadiusSettings { nas_identifier: nas.to_owned(), ..settings };
                RadiusBackend::new(settings, runtime.clone())
            }),
            Self::TacacsPlus(servers) => each(servers, |settings| {
                TacacsBackend::new(TacacsSettings { nas: nas.to_owned(), ..settings })
            }),
            Self::Ldap(servers) => each(servers, LdapBackend::new),
            Self::Nt(servers) => each(servers, NtBackend::new),
            Self::Kerberos(servers) => each(servers, KerberosBackend::new),
            Self::Sdi(servers) => each(servers, SdiBackend::new),
        }
    }
}

fn each<S: Clone, B: Backend + 'static, E: std::fmt::Display>(
    servers: &[S],
    open: impl Fn(S) -> Result<Arc<B>, E>,
) -> Result<Vec<Arc<dyn Backend>>, String> {
    let opened = servers.iter().map(|settings| match open(settings.clone()) {
        Ok(backend) => Ok(backend as Arc<dyn Backend>),
        Err(error) => Err(error.to_string()),
    });
    opened.collect()
}

//! A Kerberos KDC.

use std::path::PathBuf;

use tollgate_backends::kerberos::{KerberosSettings, Transport};

use super::super::section::Section;
use super::host;

/// What all KDCs of a group have in common.
pub(super) struct Group {
    keytab: Option<PathBuf>,
    service_principal: Option<String>,
    insecure_without_keytab: bool,
    realm_from_user: bool,
}

pub(super) fn group(table: &mut Section<'_>) -> Group {
    const WITHOUT: &str = "insecure-without-keytab";
    let keytab = host::file(table, "keytab");
    let insecure_without_keytab = table.flag(WITHOUT, false);
    match (table.was_given("keytab"), insecure_without_keytab) {
        (false, false) => table.error(
            "keytab",
            "is missing: whoever answers in the KDC's place could let anybody in",
            format!(
                "write keytab = \"vpn.keytab\", the key of a service of this machine, or {WITHOUT} = true"
            ),
        ),
        (false, true) => table.warn(
            WITHOUT,
            "whoever answers in the KDC's place can let anybody in",
            "give the group a keytab and remove the line",
        ),
        (true, true) => table.warn(WITHOUT, "has no effect beside a keytab", "remove it"),
        (true, false) => {}
    }
    Group {
        keytab,
        service_principal: table
            .get("service-principal", "a name such as \"host/vpn.example.net\" in quotes"),
        insecure_without_keytab,
        realm_from_user: table.flag("realm-from-user", false),
    }
}

pub(super) fn host(mut table: Section<'_>, group: &Group) -> KerberosSettings {
    let realm: Option<String> = table.get("kerberos-realm", "a realm in quotes, such as \"EXAMPLE.NET\"");
    match &realm {
        None if !table.was_given("kerberos-realm") => {
            table.error("kerberos-realm", "is missing", "write kerberos-realm = \"EXAMPLE.NET\"");
        }
        Some(realm) if realm.chars().any(char::is_lowercase) => table.warn(
            "kerberos-realm",
            "has small letters, and the case of a realm counts",
            "write it as the KDC has it, usually in capital letters",
        ),
        Some(_) | None => {}
    }
    let transport: Option<String> = table.get("transport", "\"auto\" or \"tcp\"");
    let transport = match transport.as_deref() {
        None | Some("auto") => Transport::Auto,
        Some("tcp") => Transport::Tcp,
        Some(_) => {
            table.error(
                "transport",
                "holds a string",
                "write \"auto\" (UDP, and TCP where it must be) or \"tcp\"",
            );
            Transport::Auto
        }
    };
    let settings = KerberosSettings {
        endpoint: host::endpoint(&mut table, 88),
        realm: realm.unwrap_or_default(),
        realm_from_user: group.realm_from_user,
        keytab: group.keytab.clone(),
        service_principal: group.service_principal.clone(),
        insecure_without_keytab: group.insecure_without_keytab,
        timeout: host::timeout(&mut table),
        transport,
    };
    table.finish();
    settings
}

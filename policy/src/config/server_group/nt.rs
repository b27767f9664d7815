//! A domain controller that checks passwords by NTLM.

use tollgate_backends::nt::NtSettings;

use super::super::section::Section;
use super::host;

pub(super) fn host(mut table: Section<'_>) -> NtSettings {
    let settings = NtSettings {
        endpoint: host::endpoint(&mut table, 445),
        domain_controller: table.get("nt-auth-domain-controller", "the controller's NetBIOS name in quotes"),
        domain: table.get("domain", "a domain in quotes").unwrap_or_default(),
        timeout: host::timeout(&mut table),
    };
    table.finish();
    settings
}

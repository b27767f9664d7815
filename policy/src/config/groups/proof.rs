//! How the callers of a tunnel group prove who they are: `ppp-authentication` and `password-management`.

use tollgate_aaa::{AuthMethod, ServerType, matrix};

use super::Names;
use crate::config::section::Section;

/// A new password is asked for by MS-CHAPv2 and taken by RADIUS: with anything else the line would promise what nobody
/// does.
pub(super) fn password_management(
    table: &mut Section<'_>,
    group: &str,
    server_type: Option<ServerType>,
    methods: &[AuthMethod],
) -> bool {
    const KEY: &str = "password-management";
    if !table.flag(KEY, false) {
        return false;
    }
    match server_type {
        Some(server_type) if !matrix::changes_passwords(server_type) => table.error(
            KEY,
            format!("cannot be done by {server_type} (server group {group}): it takes no new password from a client"),
            "name a radius group in authentication-server-group, or remove the line",
        ),
        Some(_) if !methods.contains(&AuthMethod::MsChapV2) => table.error(
            KEY,
            "needs ms-chap-v2, which ppp-authentication leaves out: no other method carries a new password",
            "add \"ms-chap-v2\" to ppp-authentication, or remove the line",
        ),
        Some(_) | None => {}
    }
    true
}

fn in_the_words_of_sdi(method: AuthMethod) -> AuthMethod {
    match method {
        AuthMethod::Pap => AuthMethod::SdiPasscode,
        other => other,
    }
}

/// The tunnel group's methods, cut down to the row of the type matrix.
pub(super) fn methods(
    table: &mut Section<'_>,
    group: &str,
    server_type: Option<ServerType>,
    local_fallback: bool,
    names: &Names<'_>,
) -> Vec<AuthMethod> {
    const KEY: &str = "ppp-authentication";
    let written: Vec<AuthMethod> = table
        .list(KEY, "\"pap\", \"chap\", \"ms-chap-v1\", \"ms-chap-v2\" or \"eap-proxy\" in quotes")
        .unwrap_or_else(|| vec![AuthMethod::MsChapV2]);
    let Some(server_type) = server_type else { return written };
    // A passcode travels in PAP's password field: who names PAP for such a server means it.
    let written = match server_type {
        ServerType::Sdi => written.into_iter().map(in_the_words_of_sdi).collect(),
        _ => written,
    };
    let words =
        |methods: &[AuthMethod]| methods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if written.is_empty() {
        table.error(KEY, "is empty", format!("name one of: {}", words(matrix::methods_of(server_type))));
        return written;
    }
    let (mut served, refused): (Vec<_>, Vec<_>) =
        written.iter().copied().partition(|method| matrix::allows(server_type, *method));
    if served.is_empty() {
        table.error(
            KEY,
            format!(
                "leaves nothing: {} is not served by {server_type} (server group {group}) in the type matrix",
                words(&refused)
            ),
            format!("name one of: {}", words(matrix::methods_of(server_type))),
        );
        return served;
    }
    if !refused.is_empty() {
        table.warn(
            KEY,
            format!(
                "{} is not offered: {server_type} (server group {group}) does not serve it",
                words(&refused)
            ),
            "remove it from the list",
        );
    }
    if table.was_given("secondary-authentication-server-group") {
        let (two, one): (Vec<_>, Vec<_>) = served
            .iter()
            .copied()
            .partition(|method| matches!(method, AuthMethod::Pap | AuthMethod::SdiPasscode));
        if two.is_empty() {
            table.error(
                KEY,
                "leaves nothing: two factors need a password field, which only pap has",
                "add \"pap\", or remove secondary-authentication-server-group",
            );
        } else if !one.is_empty() {
            table.warn(
                KEY,
                format!("{} is not offered: it cannot carry two factors", words(&one)),
                "remove it from the list",
            );
        }
        served = two;
    }
    if local_fallback {
        let lost: Vec<_> = served
            .iter()
            .copied()
            .filter(|method| {
                *method != AuthMethod::SdiPasscode && !matrix::allows(ServerType::Local, *method)
            })
            .collect();
        if !lost.is_empty() {
            table.warn(
                KEY,
                format!(
                    "{} cannot fall back to LOCAL: such a user is refused while no server answers",
                    words(&lost)
                ),
                "put ms-chap-v2 first",
            );
        }
    }
    if served.iter().any(|method| matches!(method, AuthMethod::Pap | AuthMethod::SdiPasscode))
        && !names.lns.require_ipsec
    {
        table.warn(
            KEY,
            "pap over plain L2TP sends passwords in clear",
            "remove pap, or set require-ipsec = true",
        );
    }
    if served.contains(&AuthMethod::MsChapV1) {
        table.warn(
            KEY,
            "ms-chap-v1 protects a password less than ms-chap-v2 does",
            "remove ms-chap-v1 unless a client needs it",
        );
    }
    served
}

//! Why a client that cannot do any offered method was refused, in terms of the type matrix.

use tollgate_aaa::{AuthMethod, MatrixCell, Router, matrix};

/// Says for each method that the client wanted why it was not offered: the cell of the matrix that forbids it, or the
/// tunnel group that does not list it. `wanted` holds the names that PPP gives to methods.
pub(super) fn reasons(router: &Router, tunnel_group: &str, wanted: &[String]) -> String {
    let server_type = router.tunnel_group(tunnel_group).map(|group| group.server_group.server_type());
    let reasons: Vec<_> = wanted
        .iter()
        .map(|name| match (method_of(name), server_type) {
            (Some(method), Some(server_type)) if !matrix::allows(server_type, method) => {
                MatrixCell { server_type, method }.to_string()
            }
            (Some(_), _) => {
                format!("{name} is not among the ppp-authentication methods of tunnel group {tunnel_group}")
            }
            (None, _) => format!("{name} is not served"),
        })
        .collect();
    if reasons.is_empty() { "the client named no method".into() } else { reasons.join("; ") }
}

fn method_of(name: &str) -> Option<AuthMethod> {
    match name {
        "PAP" => Some(AuthMethod::Pap),
        "CHAP-MD5" => Some(AuthMethod::Chap),
        "MS-CHAPv1" => Some(AuthMethod::MsChapV1),
        "MS-CHAPv2" => Some(AuthMethod::MsChapV2),
        "EAP" => Some(AuthMethod::EapProxy),
        _ => None,
    }
}

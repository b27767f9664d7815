//! A login by PAP at a backend of any kind, and what came of it.
#![allow(dead_code, unreachable_pub, clippy::panic)]

use std::sync::Arc;

use tollgate_aaa::{AuthRequest, Backend, Credentials, Layer, Secret, SessionContext, Unavailable, Verdict};

/// Asks by PAP.
pub async fn ask(backend: &Arc<impl Backend>, name: &str, password: impl AsRef<[u8]>) -> Verdict {
    let credentials = Credentials::Pap { password: Secret::from(password.as_ref()) };
    let context = SessionContext::default();
    let request = AuthRequest {
        name: name.as_bytes(),
        typed_name: name.as_bytes(),
        credentials: &credentials,
        tunnel_group: "DefaultRAGroup",
        context: &context,
    };
    backend.authenticate(&request).await
}

/// It was a yes.
#[track_caller]
pub fn accepted(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
}

/// Nobody decided: the layer that failed, and words of the reason.
#[track_caller]
pub fn silent(verdict: &Verdict, layer: Layer, words: &str) {
    let Verdict::Unavailable(Unavailable { layer: at, why }) = verdict else { panic!("{verdict:?}") };
    assert_eq!(*at, layer, "{why}");
    assert!(why.contains(words), "{why}");
}

//! What the server says about the session.

use std::net::Ipv4Addr;

use tollgate_aaa::FramedAddress;

use super::*;

fn granting(arguments: &str) -> Server {
    Server::with(&format!(r#""authorization": [{arguments}],"#))
}

#[tokio::test]
async fn arguments_become_attributes_of_the_session() {
    for status in [1, 2] {
        let server = Server::with(&format!(
            r#""authorization_status": {status}, "authorization": ["service=ppp", "protocol=ip", "addr=10.1.2.3",
               "addr-pool*inside", "dns-servers=10.0.0.1 10.0.0.2", "wins-servers=10.0.0.3", "timeout=90",
               "idletime=5", "inacl=engineers", "route=10.9.0.0 255.255.0.0 10.1.2.1", "group-policy=sales",
               "callback-line*3"],"#
        ));
        let attributes = accepted(login(&backend(&server)).await);
        let address = Ipv4Addr::new(10, 1, 2, 3);
        assert_eq!(attributes.framed_address, Some(FramedAddress::Address(address)));
        assert_eq!(attributes.address_pools, ["inside"]);
        let server = |last| Some(Ipv4Addr::new(10, 0, 0, last));
        assert_eq!(attributes.dns, [server(1), server(2)]);
        assert_eq!(attributes.nbns, [server(3), None]);
        assert_eq!(attributes.session_timeout, Some(Duration::from_secs(90 * 60)));
        assert_eq!(attributes.idle_timeout, Some(Duration::from_secs(5 * 60)));
        assert_eq!(attributes.filter_id.as_deref(), Some("engineers"));
        assert_eq!(attributes.framed_routes, ["10.9.0.0/16 10.1.2.1 1"]);
        assert_eq!(attributes.group_policy.as_deref(), Some("sales"));
    }
}

#[tokio::test]
async fn an_unknown_argument_that_must_be_obeyed_refuses_the_login_and_an_optional_one_does_not() {
    let server = granting(r#""autocmd=telnet""#);
    match refused(login(&backend(&server)).await).reason {
        RejectReason::UnusableAccept(why) => assert!(why.contains("autocmd=telnet"), "{why}"),
        other => panic!("{other}"),
    }
    let server = granting(r#""autocmd*telnet""#);
    accepted(login(&backend(&server)).await);
}

#[tokio::test]
async fn a_right_password_without_the_service_may_not_dial_in() {
    let server = Server::with(r#""authorization_status": 16,"#);
    let reject = refused(login(&backend(&server)).await);
    assert_eq!(reject.reason, RejectReason::NoDialinPermission);
    assert_eq!(reject.message, "not for you");
}

#[tokio::test]
async fn trouble_in_the_authorization_lets_nobody_in() {
    for (status, sign) in [(17, "ERROR"), (33, "FOLLOW"), (77, "status 77")] {
        let server = Server::with(&format!(r#""authorization_status": {status},"#));
        unavailable(login(&backend(&server)).await, Layer::Protocol, &["the authorization", sign]);
    }
}

#[tokio::test]
async fn whom_somebody_else_has_authenticated_is_authorized_alone() {
    let server = granting(r#""addr=10.1.2.3""#);
    let (context, credentials) = (SessionContext::default(), pap("not looked at"));
    let name = b"ann";
    let request = AuthRequest {
        name,
        typed_name: name,
        credentials: &credentials,
        tunnel_group: "vpn",
        context: &context,
    };
    let attributes = accepted(backend(&server).authorize(&request).await);
    assert!(attributes.framed_address.is_some());
    server.logged(&["\"authorization\"", "\"user\": \"ann\"", "\"authen_method\": 0"]);
    server.logged_times("\"authentication\"", 0);
}

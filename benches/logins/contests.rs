//! Each kind of server: how it is set up, who else asks it, and how we do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ldap3::{LdapConnAsync, Scope as SearchScope};
use tokio::runtime::{Handle, Runtime};
use tollgate_aaa::{Backend, Secret};
use tollgate_backends::kerberos::{KerberosBackend, KerberosSettings, Transport};
use tollgate_backends::ldap::{AttributeMap, DirectoryType, LdapBackend, LdapSettings, Scope, Security};
use tollgate_backends::net::Endpoint;
use tollgate_backends::nt::{NtBackend, NtSettings};
use tollgate_backends::radius::{RadiusBackend, RadiusSettings};
use tollgate_backends::tacacs::{TacacsBackend, TacacsSettings};
use tollgate_benches::router_to;
use tollgate_tests::radius::{self, SECRET};
use tollgate_tests::servers::kdc::{self, Kdc};
use tollgate_tests::servers::samba::{self, Samba};
use tollgate_tests::servers::slapd::{self, Slapd};
use tollgate_tests::servers::tacacs;

use crate::tools::{count_of, loop_of};
use crate::{Contest, SPAN};

type Make = fn(&Runtime) -> Contest;

pub(crate) const ALL: [(&str, Make); 7] = [
    ("RADIUS", radius),
    ("LDAP, template", ldap_by_template),
    ("LDAP, search", ldap_by_search),
    ("TACACS+", tacacs_plus),
    ("TACACS+, shared", tacacs_shared),
    ("Kerberos", kerberos),
    ("NT", nt),
];

/// Our side.
fn contest(name: &'static str, backend: Arc<dyn Backend>, user: &str, password: &str) -> Contest {
    Contest {
        name,
        tool: "",
        questions_of_tool: 1.0,
        other: Box::new(|| 0.0),
        questions: 1.0,
        router: Arc::new(router_to(backend)),
        user: user.to_owned(),
        password: password.to_owned(),
        at_once: 64,
    }
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint { host: "127.0.0.1".to_owned(), port }
}

/// A file of its own that stays until the process ends.
pub(crate) fn file(name: &str, content: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tollgate-logins-{}-{name}", std::process::id()));
    fs::write(&path, content).expect("a temporary file");
    path
}

fn radius(runtime: &Runtime) -> Contest {
    const COUNT: u32 = 20_000;
    let server = radius::start("joe Cleartext-Password := \"open sesame\"\n");
    let settings = RadiusSettings {
        authentication_port: server.authentication_port,
        accounting_port: server.accounting_port,
        ..RadiusSettings::new("127.0.0.1", Secret::from(SECRET.to_owned()))
    };
    let backend = RadiusBackend::new(settings, runtime.handle().clone()).expect("settings");
    let question = file(
        "radius",
        "User-Name = \"joe\"\nUser-Password = \"open sesame\"\nMessage-Authenticator = 0x00\n",
    );
    let other = move || {
        let server = &server;
        let start = Instant::now();
        let output = Command::new("radclient")
            .args(["-q", "-s", "-p", "200", "-c", &COUNT.to_string(), "-f"])
            .args([question.as_os_str(), format!("127.0.0.1:{}", server.authentication_port).as_ref()])
            .args(["auth", SECRET])
            .output()
            .expect("radclient is installed");
        let summary = String::from_utf8_lossy(&output.stdout);
        let accepted = summary.lines().find_map(|line| line.trim().strip_prefix("Accepted"));
        let accepted = accepted.and_then(|rest| rest.trim_start_matches([' ', ':']).parse::<f64>().ok());
        accepted.unwrap_or_else(|| panic!("{summary}")) / start.elapsed().as_secs_f64()
    };
    Contest {
        tool: "radclient -p 200",
        other: Box::new(other),
        at_once: 200,
        ..contest("RADIUS", backend, "joe", "open sesame")
    }
}

fn directory() -> Slapd {
    Slapd::start(slapd::Options {
        entries: Slapd::person("joe", "open sesame", ""),
        ..slapd::Options::default()
    })
}

fn ldap(port: u16, dn_template: Option<String>) -> Arc<LdapBackend> {
    LdapBackend::new(ldap_settings(port, dn_template)).expect("settings")
}

/// By template, or by search where there is none.
pub(crate) fn ldap_settings(port: u16, dn_template: Option<String>) -> LdapSettings {
    LdapSettings {
        endpoint: endpoint(port),
        security: Security::Clear,
        base_dn: slapd::BASE.to_owned(),
        scope: Scope::Subtree,
        naming_attributes: vec!["uid".to_owned()],
        login: dn_template
            .is_none()
            .then(|| (slapd::READER.to_owned(), Secret::from(slapd::READER_PASSWORD.to_owned()))),
        dn_template,
        filter: None,
        server_type: DirectoryType::OpenLdap,
        timeout: Duration::from_secs(10),
        attribute_map: Arc::new(AttributeMap::default()),
    }
}

/// Plain binds with ldap3, one after the other on each of 16 connections; with a search before each where `search`.
fn binds(handle: &Handle, server: &Slapd, search: bool) -> f64 {
    let port = server.port;
    let done = Arc::new(AtomicU64::new(0));
    let (start, end) = (Instant::now(), Instant::now() + SPAN);
    handle.block_on(async {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let done = Arc::clone(&done);
                tokio::spawn(async move {
                    let url = format!("ldap://127.0.0.1:{port}");
                    let (driver, mut user) = LdapConnAsync::new(&url).await.expect("a connection");
                    ldap3::drive!(driver);
                    let (driver, mut reader) = LdapConnAsync::new(&url).await.expect("a connection");
                    ldap3::drive!(driver);
                    let bound = reader.simple_bind(slapd::READER, slapd::READER_PASSWORD).await;
                    bound.and_then(ldap3::LdapResult::success).expect("bound");
                    let mut dn = format!("uid=joe,{}", slapd::PEOPLE);
                    while Instant::now() < end {
                        if search {
                            let found =
                                reader.search(slapd::BASE, SearchScope::Subtree, "(uid=joe)", ["1.1"]);
                            let (entries, _) = found.await.and_then(|found| found.success()).expect("found");
                            dn = ldap3::SearchEntry::construct(entries.into_iter().next().expect("joe")).dn;
                        }
                        let bound = user.simple_bind(&dn, "open sesame").await;
                        bound.and_then(ldap3::LdapResult::success).expect("bound");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("every bind is accepted");
        }
    });
    done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn ldap_by_template(runtime: &Runtime) -> Contest {
    let (server, handle) = (directory(), runtime.handle().clone());
    let backend = ldap(server.port, Some(format!("uid={{user}},{}", slapd::PEOPLE)));
    Contest {
        tool: "binds on 16 connections",
        other: Box::new(move || binds(&handle, &server, false)),
        ..contest("LDAP, template", backend, "joe", "open sesame")
    }
}

fn ldap_by_search(runtime: &Runtime) -> Contest {
    let (server, handle) = (directory(), runtime.handle().clone());
    let backend = ldap(server.port, None);
    Contest {
        tool: "searches and binds on 16 connections each",
        other: Box::new(move || binds(&handle, &server, true)),
        ..contest("LDAP, search", backend, "joe", "open sesame")
    }
}

fn tacacs_contest(name: &'static str, single_connect: bool) -> Contest {
    let server = tacacs::Server::start();
    let key = Secret::from(tacacs::KEY.to_owned());
    let settings = TacacsSettings { single_connect, ..TacacsSettings::new("127.0.0.1", server.port, key) };
    let backend = TacacsBackend::new(settings).expect("settings");
    // Eight loops that share the time, since the module waits for each answer.
    let script = format!(
        "use Authen::TacacsPlus; use Time::HiRes 'time'; my $end = time + {span}; for (1..8) {{ \
         my $child = open(my $out, '-|') // die; if (!$child) {{ my $n = 0; while (time < $end) {{ \
         my $c = new Authen::TacacsPlus(Host => '127.0.0.1', Port => {port}, Key => '{key}', Timeout => 5) or die; \
         $c->authen('{user}', '{password}', Authen::TacacsPlus::TAC_PLUS_AUTHEN_TYPE_PAP()) or die; $c->close; $n++ }} \
         print \"$n\\n\"; exit 0 }} push @all, $out }} print readline($_) for @all;",
        span = SPAN.as_secs(),
        port = server.port,
        key = tacacs::KEY,
        user = tacacs::USER,
        password = tacacs::PASSWORD,
    );
    let other = move || {
        let mut command = Command::new("perl");
        command.args(["-e", &script]);
        let _alive = &server;
        count_of(command)
    };
    Contest {
        tool: "Authen::TacacsPlus, 8 loops (questions)",
        other: Box::new(other),
        // Authentication and authorization.
        questions: 2.0,
        ..contest(name, backend, tacacs::USER, tacacs::PASSWORD)
    }
}

fn tacacs_plus(_: &Runtime) -> Contest {
    tacacs_contest("TACACS+", false)
}

fn tacacs_shared(_: &Runtime) -> Contest {
    tacacs_contest("TACACS+, shared", true)
}

fn kerberos(_: &Runtime) -> Contest {
    let kdc = Kdc::start(&kdc::Options::default());
    // The type that kinit asks for first, so that both derive the same key of the password.
    let etype = "aes256-cts-hmac-sha1-96:normal";
    kdc.add_user("joe", kdc::PASSWORD, &["-e", etype]);
    let keytab = kdc.add_service("vpn/gate.example.test", etype);
    let backend = KerberosBackend::new(KerberosSettings {
        endpoint: endpoint(kdc.port),
        realm: kdc::REALM.to_owned(),
        realm_from_user: false,
        keytab: Some(keytab),
        service_principal: None,
        insecure_without_keytab: false,
        timeout: Duration::from_secs(10),
        transport: Transport::Auto,
    })
    .expect("settings");
    let realm = kdc::REALM;
    let krb5 = file(
        "krb5.conf",
        &format!(
            "[libdefaults]\ndefault_realm = {realm}\ndns_lookup_kdc = false\n[realms]\n{realm} = {{\n kdc = \
             127.0.0.1:{}\n}}\n",
            kdc.port
        ),
    );
    let password = file("password", &format!("{}\n", kdc::PASSWORD));
    let other = move || {
        let _alive = &kdc;
        loop_of(2, || kinit(&krb5, &password))
    };
    Contest {
        tool: "kinit, 2 loops",
        other: Box::new(other),
        ..contest("Kerberos", backend, "joe", kdc::PASSWORD)
    }
}

fn kinit(krb5: &Path, password: &Path) -> Command {
    let mut command = Command::new("kinit");
    command
        .env("KRB5_CONFIG", krb5)
        .args(["-c", "MEMORY:", "joe"])
        .stdin(Stdio::from(fs::File::open(password).expect("written above")));
    command
}

fn nt(_: &Runtime) -> Contest {
    let samba = Samba::shared();
    let backend = NtBackend::new(NtSettings {
        endpoint: Endpoint { host: samba.address().to_string(), port: 445 },
        domain_controller: None,
        domain: samba::DOMAIN.to_owned(),
        timeout: Duration::from_secs(10),
    })
    .expect("settings");
    let login = file(
        "smb",
        &format!("username = alice\npassword = {}\ndomain = {}\n", samba::PASSWORD, samba::DOMAIN),
    );
    let other = move || {
        loop_of(2, || {
            let mut command = Command::new("smbclient");
            command.arg(format!("//{}/IPC$", samba.address())).arg("-A").arg(&login).args(["-c", "exit"]);
            command.stdin(Stdio::null());
            command
        })
    };
    Contest {
        tool: "smbclient -c exit, 2 loops",
        other: Box::new(other),
        at_once: 16,
        ..contest("NT", backend, "alice", samba::PASSWORD)
    }
}

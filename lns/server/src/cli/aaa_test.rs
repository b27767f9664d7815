//! `tollgate aaa test`: the AAA router asked as a login would ask it, without a call.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tollgate_aaa::{Attributes, Layer, LoginOutcome, LoginRequest, PrintableName, SessionContext, Verdict};
use tollgate_policy::group_policy::EncryptionMode;
use tollgate_policy::session::{self, AddressSource, SessionPolicy};
use tollgate_policy::tunnel_group::DEFAULT_TUNNEL_GROUP;
use tollgate_ppp::{AuthDecision, ClientConfig, Event, Link, Proof, ServerConfig};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use super::{ConfigArguments, Method};
use crate::shard::credentials_of;
use crate::snapshot::Snapshot;

/// Exit codes beyond success: part of the command's contract with scripts.
const REJECTED: u8 = 1;
const NO_ANSWER: u8 = 2;
const REFUSED: u8 = 3;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The tunnel group in which the login arrives.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TUNNEL_GROUP)]
    tunnel_group: String,
    /// The user's name, as it would be typed; the password is read from the terminal or from standard input.
    #[arg(long)]
    user: String,
    /// The authentication method.
    #[arg(long, value_enum, required_unless_present = "ascii")]
    method: Option<Method>,
    /// Ask by TACACS+'s own dialogue, as a terminal server would, and not as a VPN client's login.
    #[arg(long, conflicts_with = "method")]
    ascii: bool,
    /// Ask this server group instead of the tunnel group's.
    #[arg(long, value_name = "NAME")]
    server_group: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let config = match tollgate_policy::load(&arguments.config.config, &arguments.config.overrides) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(REFUSED);
        }
    };
    match test(arguments, config) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(REFUSED)
        }
    }
}

fn test(arguments: &Arguments, config: tollgate_policy::Config) -> Result<ExitCode, String> {
    let password = super::read_password(&format!("Password of {}: ", arguments.user))
        .map_err(|error| format!("the password cannot be read: {error}"))?;
    let mut caller =
        Caller::new(arguments.user.as_bytes(), password, arguments.method.unwrap_or(Method::Pap))?;
    let proof = caller.proof().ok_or("a user name or password of this length cannot be sent by PPP")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let guard = runtime.enter();
    let snapshot =
        Snapshot::build(config, None, None, runtime.handle()).map_err(|error| error.to_string())?;
    drop(guard);
    let request = LoginRequest {
        name: arguments.user.clone().into_bytes(),
        credentials: credentials_of(proof),
        tunnel_group: arguments.tunnel_group.clone(),
        context: SessionContext {
            acct_session_id: "aaa-test".into(),
            nas_identifier: snapshot.config.lns.hostname.clone(),
            ..SessionContext::default()
        },
    };
    let context = request.context.clone();
    let outcome = runtime.block_on(async {
        let first = match &arguments.server_group {
            group if arguments.ascii => snapshot.router.converse(group.as_deref(), request).await,
            Some(group) => snapshot.router.login_through(group, request).await,
            None => snapshot.router.login(request).await,
        };
        decided(first, &mut caller, &context).await
    });
    let report = Report { ascii: arguments.ascii, ..Report::of(&snapshot, &outcome) };
    if arguments.json {
        println!("{:#}", report.json());
    } else {
        report.print();
    }
    Ok(report.code())
}

/// A caller and an answerer who talk in memory: what a client would send, without a call.
struct Caller {
    server: Link,
    client: Link,
}

impl Caller {
    fn new(user: &[u8], password: Zeroizing<Vec<u8>>, method: Method) -> Result<Self, String> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| "the system gives no random numbers".to_owned())?;
        let mut entropy = Entropy::from_seed(seed);
        let server = ServerConfig { methods: vec![method.protocol()], ..ServerConfig::default() };
        let client = ClientConfig {
            user: user.to_vec(),
            password,
            methods: vec![method.protocol()],
            ..ClientConfig::default()
        };
        let mut server = Link::server(Arc::new(server), entropy.fork());
        let mut client = Link::client(Arc::new(client), entropy.fork());
        let now = Instant::now();
        server.start(now);
        client.start(now);
        Ok(Self { server, client })
    }

    /// The proof, once it is there: a handful of frames each way is all that LCP and a challenge take.
    fn proof(&mut self) -> Option<Proof> {
        let now = Instant::now();
        for _ in 0..32 {
            while let Some(frame) = self.client.poll_frame() {
                self.server.handle_frame(now, &frame);
            }
            while let Some(frame) = self.server.poll_frame() {
                self.client.handle_frame(now, &frame);
            }
            while let Some(event) = self.server.poll_event() {
                if let Event::Authenticate(request) = event {
                    return Some(request.proof);
                }
            }
        }
        None
    }

    /// The response to what the server asks next.
    fn respond(&mut self, packet: Vec<u8>) -> Option<Vec<u8>> {
        self.server.authenticated(Instant::now(), AuthDecision::Continue { packet, timeout: None });
        match self.proof()? {
            Proof::Eap { packet } => Some(packet),
            Proof::Pap { .. }
            | Proof::Chap { .. }
            | Proof::MsChapV1 { .. }
            | Proof::MsChapV2 { .. }
            | Proof::PasswordChange { .. } => None,
        }
    }
}

/// Goes on with a login of several rounds until it is decided.
async fn decided(mut outcome: LoginOutcome, caller: &mut Caller, context: &SessionContext) -> LoginOutcome {
    while let (Some(continuation), Verdict::Challenge(challenge)) =
        (outcome.continuation.take(), &mut outcome.verdict)
    {
        let Some(response) = challenge.eap.take().and_then(|packet| caller.respond(packet)) else { break };
        let spent = outcome.round_trip;
        outcome = continuation.resume(response, context).await;
        outcome.round_trip += spent;
    }
    outcome
}

/// The outcome, and the policy that would follow from it.
struct Report<'a> {
    outcome: &'a LoginOutcome,
    /// Asked by the server's own dialogue, which is no method of PPP.
    ascii: bool,
    policy: Option<Result<SessionPolicy, String>>,
    warnings: Vec<String>,
}

impl<'a> Report<'a> {
    fn of(snapshot: &Snapshot, outcome: &'a LoginOutcome) -> Self {
        let mut warnings = Vec::new();
        let policy = match &outcome.verdict {
            Verdict::Accept(attributes) => Some(
                session::resolve(&snapshot.config, &outcome.tunnel_group, attributes, &mut |warning| {
                    warnings.push(warning);
                })
                .map_err(|refusal| refusal.to_string()),
            ),
            Verdict::Reject(_) | Verdict::Challenge(_) | Verdict::Unavailable(_) => None,
        };
        Self { outcome, ascii: false, policy, warnings }
    }

    fn method(&self) -> String {
        if self.ascii { "ASCII".into() } else { self.outcome.method.to_string() }
    }

    fn code(&self) -> ExitCode {
        match (&self.outcome.verdict, &self.policy) {
            (Verdict::Accept(_), Some(Err(_))) => ExitCode::from(REFUSED),
            (Verdict::Accept(_), _) => ExitCode::SUCCESS,
            (Verdict::Unavailable(_), _) => ExitCode::from(NO_ANSWER),
            (Verdict::Reject(_) | Verdict::Challenge(_), _) if self.outcome.refused_by_configuration => {
                ExitCode::from(REFUSED)
            }
            (Verdict::Reject(_) | Verdict::Challenge(_), _) => ExitCode::from(REJECTED),
        }
    }

    /// Verdict and reason in words.
    fn verdict(&self) -> (&'static str, String) {
        match &self.outcome.verdict {
            Verdict::Accept(_) => match &self.policy {
                Some(Err(refusal)) => ("refused by policy", refusal.clone()),
                Some(Ok(_)) | None => ("accepted", String::new()),
            },
            Verdict::Reject(reject) if self.outcome.refused_by_configuration => {
                ("refused", reject.reason.to_string())
            }
            Verdict::Reject(reject) => ("rejected", reject.reason.to_string()),
            Verdict::Challenge(challenge) => ("challenged", challenge.message.clone()),
            Verdict::Unavailable(silence) => ("no answer", silence.why.clone()),
        }
    }

    /// The layer that failed; `None` where nothing did.
    fn layer(&self) -> Option<Layer> {
        match &self.outcome.verdict {
            Verdict::Accept(_) => match &self.policy {
                Some(Err(_)) => Some(Layer::Configuration),
                Some(Ok(_)) | None => None,
            },
            Verdict::Reject(reject) => Some(reject.reason.layer()),
            Verdict::Challenge(_) => Some(Layer::Password),
            Verdict::Unavailable(silence) => Some(silence.layer),
        }
    }

    fn json(&self) -> Value {
        let (verdict, reason) = self.verdict();
        let outcome = self.outcome;
        let attributes = match &outcome.verdict {
            Verdict::Accept(attributes) => Value::Object(
                attribute_lines(attributes).into_iter().map(|(name, value)| (name.into(), value)).collect(),
            ),
            Verdict::Reject(_) | Verdict::Challenge(_) | Verdict::Unavailable(_) => Value::Null,
        };
        json!({
            "verdict": verdict,
            "reason": reason,
            "layer": self.layer(),
            "advice": self.layer().map(Layer::advice),
            "tunnel-group": outcome.tunnel_group,
            "name-sent": PrintableName(&outcome.name).to_string(),
            "method": self.method(),
            "server-group": outcome.server_group,
            "server-type": outcome.server_type.map(|server_type| server_type.to_string()),
            "server": outcome.server,
            "fell-back": outcome.fell_back,
            "round-trip-milliseconds": outcome.round_trip.as_secs_f64() * 1e3,
            "attributes": attributes,
            "policy": match &self.policy {
                Some(Ok(policy)) => Value::Object(
                    policy_lines(policy).into_iter().map(|(name, value)| (name.into(), value)).collect(),
                ),
                Some(Err(_)) | None => Value::Null,
            },
            "warnings": self.warnings,
        })
    }

    fn print(&self) {
        let (verdict, reason) = self.verdict();
        let outcome = self.outcome;
        let line = |name: &str, value: &str| println!("{name:<22} {value}");
        line("Verdict", &if reason.is_empty() { verdict.to_owned() } else { format!("{verdict}: {reason}") });
        if let Some(layer) = self.layer() {
            line("Layer", layer.as_str());
            line("What to do", layer.advice());
        }
        line("Tunnel group", &outcome.tunnel_group);
        line("Name sent", &PrintableName(&outcome.name).to_string());
        line("Method", &self.method());
        line("Server group", outcome.server_group.as_deref().unwrap_or("-"));
        line("Server", outcome.server.as_deref().unwrap_or("-"));
        if outcome.fell_back {
            line("Fallback", "no server of the group answered: LOCAL was asked");
        }
        line("Round trip", &format!("{:.2} ms", outcome.round_trip.as_secs_f64() * 1e3));
        let section = |title: &str, lines: Vec<(&'static str, Value)>| {
            println!("{title}");
            for (name, value) in lines {
                println!("  {name:<20} {}", plain(&value));
            }
        };
        if let Verdict::Accept(attributes) = &outcome.verdict {
            section("Attributes of the answer", attribute_lines(attributes));
        }
        if let Some(Ok(policy)) = &self.policy {
            section("Policy that would result", policy_lines(policy));
        }
        for warning in &self.warnings {
            println!("Warning: {warning}");
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// The attributes that the answer carried, by their names.
fn attribute_lines(attributes: &Attributes) -> Vec<(&'static str, Value)> {
    let seconds = |duration: Option<std::time::Duration>| duration.map(|duration| json!(duration.as_secs()));
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let list = |texts: &[String]| (!texts.is_empty()).then(|| json!(texts));
    let servers = |servers: &[Option<std::net::Ipv4Addr>; 2]| {
        servers.iter().any(Option::is_some).then(|| json!(servers.iter().flatten().collect::<Vec<_>>()))
    };
    let classes: Vec<_> =
        attributes.classes.iter().map(|class| String::from_utf8_lossy(class).into_owned()).collect();
    [
        ("framed-address", attributes.framed_address.map(|address| json!(format!("{address:?}")))),
        ("framed-netmask", attributes.framed_netmask.map(|mask| json!(mask))),
        ("framed-mtu", attributes.framed_mtu.map(|mtu| json!(mtu))),
        ("framed-route", list(&attributes.framed_routes)),
        ("session-timeout", seconds(attributes.session_timeout)),
        ("idle-timeout", seconds(attributes.idle_timeout)),
        ("interim-interval", seconds(attributes.interim_interval)),
        ("class", list(&classes)),
        ("group-policy", text(&attributes.group_policy)),
        ("filter-id", text(&attributes.filter_id)),
        ("reply-message", text(&attributes.reply_message)),
        ("dns", servers(&attributes.dns)),
        ("wins", servers(&attributes.nbns)),
        ("address-pools", list(&attributes.address_pools)),
        ("simultaneous-logins", attributes.simultaneous_logins.map(|limit| json!(limit))),
        ("tunneling-protocols", attributes.tunneling_protocols.map(|protocols| json!(protocols))),
        ("mppe-keys", attributes.mppe.as_ref().map(|_| json!("received"))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

fn policy_lines(policy: &SessionPolicy) -> Vec<(&'static str, Value)> {
    let seconds = |duration: Option<std::time::Duration>| duration.map(|duration| duration.as_secs());
    vec![
        ("group-policy", json!(policy.group_policy)),
        (
            "address",
            match &policy.address {
                AddressSource::Fixed(address) => json!(address),
                AddressSource::Pools(pools) => {
                    json!(pools.iter().map(|pool| format!("pool {pool}")).collect::<Vec<_>>())
                }
            },
        ),
        ("dns", json!(policy.dns.iter().flatten().collect::<Vec<_>>())),
        ("wins", json!(policy.wins.iter().flatten().collect::<Vec<_>>())),
        ("idle-timeout", json!(seconds(policy.idle_timeout))),
        ("session-timeout", json!(seconds(policy.session_timeout))),
        ("simultaneous-logins", json!(policy.simultaneous_logins)),
        ("filter", json!(policy.filter.as_ref().map(|(name, _)| name))),
        (
            "routes",
            json!(policy.routes.iter().map(|(net, length)| format!("{net}/{length}")).collect::<Vec<_>>()),
        ),
        (
            "ppp-encryption",
            match policy.encryption.mode {
                EncryptionMode::None => json!("none"),
                EncryptionMode::Allowed => json!("allowed"),
                EncryptionMode::Required => json!("required"),
            },
        ),
        ("mtu", json!(policy.mtu)),
        ("interim-interval", json!(seconds(policy.interim_interval))),
    ]
}

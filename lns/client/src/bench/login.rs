//! Set-ups: how many a second, how fast, at what cost; and whether the sessions stay.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::generator::{Generator, Happening, TunnelRef};
use super::half_open::leave_half_open;
use super::usage::Usage;
use super::{BenchError, Latencies, Target};

/// How much load.
#[derive(Debug, Clone)]
pub struct LoginOptions {
    /// Tunnels.
    pub tunnels: usize,
    /// Calls in each tunnel.
    pub sessions: usize,
    /// Set-ups under way at once.
    pub concurrency: usize,
    /// How long the sessions are then held idle.
    pub hold: Duration,
    /// Bound on the set-up phase.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoginReport {
    /// Tunnels that were set up.
    pub tunnels: usize,
    /// IKE exchanges that were half open meanwhile.
    pub half_open: usize,
    /// Sessions that were set up.
    pub sessions: usize,
    /// Sessions that were not.
    pub failed: usize,
    /// The first failure, in words.
    pub first_failure: Option<String>,
    /// Seconds from the first call to the last session.
    pub seconds: f64,
    /// Sessions a second.
    pub setups_per_second: f64,
    /// From the call to the inner address.
    pub latency_milliseconds: Latencies,
    /// Processor time of the server for one session, in microseconds.
    pub server_cpu_microseconds_per_setup: Option<f64>,
    /// Growth of the server's memory for one session, in octets.
    pub server_memory_per_session: Option<f64>,
    /// Seconds that the sessions were held.
    pub held_seconds: f64,
    /// Sessions that ended while they were held.
    pub lost_while_held: usize,
    /// Share of one processor that the server used while they were held.
    pub server_cpu_share_while_held: Option<f64>,
    /// Sessions that were closed properly.
    pub closed: usize,
    /// Seconds that closing took.
    pub close_seconds: f64,
}

/// Opens tunnels, then sessions, holds them, closes them.
pub fn run(target: &Target, options: &LoginOptions) -> Result<LoginReport, BenchError> {
    let mut generator = Generator::new(target)?;
    let half_open = match &target.security {
        Some(security) if target.half_open > 0 => leave_half_open(target.server, security, target.half_open)?,
        _ => 0,
    };
    // Through IPsec a client has one session, and its tunnel and keys are most of a login: they are measured too.
    let (first, first_began) = (Usage::of(target.server_pid)?, Instant::now());
    let tunnels = open_tunnels(&mut generator, options)?;

    let (before, began) = match target.security {
        Some(_) => (first, first_began),
        None => (Usage::of(target.server_pid)?, Instant::now()),
    };
    let outcome = open_sessions(&mut generator, &tunnels, options)?;
    let seconds = began.elapsed().as_secs_f64();
    let after = Usage::of(target.server_pid)?;

    let up = generator.up();
    let (held_seconds, cpu_share) = hold(&mut generator, target, options.hold)?;
    let lost = up - generator.up();
    let (closed, close_seconds) = close(&mut generator)?;

    let each = |value: f64| if up == 0 { 0.0 } else { value / up as f64 };
    Ok(LoginReport {
        tunnels: tunnels.len(),
        half_open,
        sessions: up,
        failed: outcome.failed,
        first_failure: outcome.first_failure,
        seconds,
        setups_per_second: up as f64 / seconds,
        latency_milliseconds: Latencies::of(outcome.latencies),
        server_cpu_microseconds_per_setup: before
            .zip(after)
            .map(|(before, after)| each(after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6)),
        server_memory_per_session: before
            .zip(after)
            .map(|(before, after)| each(after.memory.saturating_sub(before.memory) as f64)),
        held_seconds,
        lost_while_held: lost,
        server_cpu_share_while_held: cpu_share,
        closed,
        close_seconds,
    })
}

/// Opens the tunnels. In clear it is one at a time from each port: until a peer has told its tunnel id, some servers
/// (l2tpns) know a request by its address and port alone and take a second one for the first come again.
pub(super) fn open_tunnels(
    generator: &mut Generator,
    options: &LoginOptions,
) -> Result<Vec<TunnelRef>, BenchError> {
    let deadline = Instant::now() + options.limit;
    let mut up = Vec::new();
    let mut opened = 0;
    let mut said = None;
    while up.len() < options.tunnels {
        let (room, may_open) = match generator.is_secure() {
            true => (options.concurrency.saturating_sub(opened - up.len()), true),
            false => (generator.port_count(), opened == up.len()),
        };
        if may_open {
            for _ in 0..room.min(options.tunnels - opened) {
                generator.open_tunnel(opened)?;
                opened += 1;
            }
        }
        let mut failed = false;
        generator.step(Instant::now() + Duration::from_millis(100), &mut |happening| match happening {
            Happening::TunnelUp(tunnel) => up.push(tunnel),
            Happening::TunnelDown => failed = true,
            Happening::Refused { why } => {
                failed = true;
                said = Some(why);
            }
            Happening::CallUp { .. } | Happening::CallDown { .. } | Happening::Packet(_) => {}
        })?;
        if failed || Instant::now() > deadline {
            let why = said.unwrap_or_else(|| match generator.is_secure() {
                true => "is the server there, and does it speak IPsec?".into(),
                false => "is the server there, and does it take plain L2TP?".into(),
            });
            return Err(BenchError::Server(format!(
                "{} of {} tunnels were set up; {why}",
                up.len(),
                options.tunnels
            )));
        }
    }
    Ok(up)
}

#[derive(Default)]
pub(super) struct Outcome {
    latencies: Vec<Duration>,
    pub(super) failed: usize,
    pub(super) first_failure: Option<String>,
}

/// Places the calls, `concurrency` at a time.
pub(super) fn open_sessions(
    generator: &mut Generator,
    tunnels: &[TunnelRef],
    options: &LoginOptions,
) -> Result<Outcome, BenchError> {
    let total = tunnels.len() * options.sessions;
    let deadline = Instant::now() + options.limit;
    let mut outcome = Outcome::default();
    let mut ups = Vec::new();
    let (mut opened, mut settled) = (0, 0);
    while settled < total {
        while opened < total && opened - settled < options.concurrency {
            generator.open_call(tunnels[opened % tunnels.len()])?;
            opened += 1;
        }
        let now = Instant::now();
        if now > deadline {
            outcome.failed += total - settled;
            outcome.first_failure.get_or_insert_with(|| "not set up in time".into());
            break;
        }
        generator.step(now + Duration::from_millis(100), &mut |happening| match happening {
            Happening::CallUp { call } => {
                settled += 1;
                ups.push((call, Instant::now()));
            }
            Happening::CallDown { why } => {
                settled += 1;
                outcome.failed += 1;
                outcome.first_failure.get_or_insert(why);
            }
            Happening::TunnelUp(_)
            | Happening::TunnelDown
            | Happening::Refused { .. }
            | Happening::Packet(_) => {}
        })?;
        for (call, at) in ups.drain(..) {
            outcome.latencies.push(at.saturating_duration_since(generator.calls[call].began));
        }
    }
    Ok(outcome)
}

fn hold(
    generator: &mut Generator,
    target: &Target,
    hold: Duration,
) -> Result<(f64, Option<f64>), BenchError> {
    if hold.is_zero() {
        return Ok((0.0, None));
    }
    let before = Usage::of(target.server_pid)?;
    let began = Instant::now();
    while began.elapsed() < hold {
        generator.step(began + hold, &mut |_| ())?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = Usage::of(target.server_pid)?;
    let share = before.zip(after).map(|(before, after)| (after.cpu - before.cpu).as_secs_f64() / seconds);
    Ok((seconds, share))
}

/// Hangs up every call, some at a time; then the tunnels.
pub(super) fn close(generator: &mut Generator) -> Result<(usize, f64), BenchError> {
    const AT_ONCE: usize = 256;
    const LIMIT: Duration = Duration::from_secs(60);
    let began = Instant::now();
    let live: Vec<usize> =
        (0..generator.calls.len()).filter(|call| generator.calls[*call].addresses.is_some()).collect();
    let (mut begun, mut closed) = (0, 0);
    while closed < live.len() && began.elapsed() < LIMIT {
        let mut ended = 0;
        let mut heard = |happening| {
            if matches!(happening, Happening::CallDown { .. }) {
                ended += 1;
            }
        };
        while begun < live.len() && begun - closed < AT_ONCE {
            generator.close_call(live[begun], &mut heard);
            begun += 1;
        }
        generator.step(Instant::now() + Duration::from_millis(100), &mut heard)?;
        closed += ended;
    }
    generator.close_tunnels();
    Ok((closed, began.elapsed().as_secs_f64()))
}

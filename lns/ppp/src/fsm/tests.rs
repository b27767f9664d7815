//! The table of RFC 1661 4.1 as it is printed there, read cell by cell against the function.
use super::*;

const STATES: [State; 10] = [
    State::Initial,
    State::Starting,
    State::Closed,
    State::Stopped,
    State::Closing,
    State::Stopping,
    State::ReqSent,
    State::AckRcvd,
    State::AckSent,
    State::Opened,
];

/// One line per event, one column per state from 0 to 9; `-` cannot happen.
const TABLE: &str = "
Up    2      irc,scr/6  -          -              -      -      -          -          -          -
Down  -      -          0          tls/1          0      1      1          1          1          tld/1
Open  tls/1  1          irc,scr/6  3              5      5      6          7          8          9
Close 0      tlf/0      2          2              4      4      irc,str/4  irc,str/4  irc,str/4  tld,irc,str/4
TO+   -      -          -          -              str/4  str/5  scr/6      scr/6      scr/8      -
TO-   -      -          -          -              tlf/2  tlf/3  tlf/3      tlf/3      tlf/3      -
RCR+  -      -          sta/2      irc,scr,sca/8  4      5      sca/8      sca,tlu/9  sca/8      tld,scr,sca/8
RCR-  -      -          sta/2      irc,scr,scn/6  4      5      scn/6      scn/7      scn/6      tld,scr,scn/6
RCA   -      -          sta/2      sta/3          4      5      irc/7      scr/6      irc,tlu/9  tld,scr/6
RCN   -      -          sta/2      sta/3          4      5      irc,scr/6  scr/6      irc,scr/8  tld,scr/6
RTR   -      -          sta/2      sta/3          sta/4  sta/5  sta/6      sta/6      sta/6      tld,zrc,sta/5
RTA   -      -          2          3              tlf/2  tlf/3  6          6          8          tld,scr/6
RUC   -      -          scj/2      scj/3          scj/4  scj/5  scj/6      scj/7      scj/8      scj/9
RXJ+  -      -          2          3              4      5      6          6          8          9
RXJ-  -      -          tlf/2      tlf/3          tlf/2  tlf/3  tlf/3      tlf/3      tlf/3      tld,irc,str/5
RXR   -      -          2          3              4      5      6          7          8          ser/9
";

fn input(name: &str) -> Input {
    match name {
        "Up" => Input::Up,
        "Down" => Input::Down,
        "Open" => Input::Open,
        "Close" => Input::Close,
        "TO+" => Input::TimeoutCounting,
        "TO-" => Input::TimeoutExhausted,
        "RCR+" => Input::ConfigureRequestGood,
        "RCR-" => Input::ConfigureRequestBad,
        "RCA" => Input::ConfigureAck,
        "RCN" => Input::ConfigureNak,
        "RTR" => Input::TerminateRequest,
        "RTA" => Input::TerminateAck,
        "RUC" => Input::UnknownCode,
        "RXJ+" => Input::RejectHarmless,
        "RXJ-" => Input::RejectFatal,
        "RXR" => Input::Echo,
        other => panic!("no such event: {other}"),
    }
}

fn action(name: &str) -> Action {
    match name {
        "tlu" => Action::ThisLayerUp,
        "tld" => Action::ThisLayerDown,
        "tls" => Action::ThisLayerStarted,
        "tlf" => Action::ThisLayerFinished,
        "irc" => Action::InitRestartCount,
        "zrc" => Action::ZeroRestartCount,
        "scr" => Action::SendConfigureRequest,
        "sca" => Action::SendConfigureAck,
        "scn" => Action::SendConfigureNak,
        "str" => Action::SendTerminateRequest,
        "sta" => Action::SendTerminateAck,
        "scj" => Action::SendCodeReject,
        "ser" => Action::SendEchoReply,
        other => panic!("no such action: {other}"),
    }
}

#[test]
fn every_state_and_event_is_as_rfc_1661_4_1_says() {
    let mut cells = 0;
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let mut columns = line.split_whitespace();
        let name = columns.next().unwrap();
        for (state, cell) in STATES.into_iter().zip(columns) {
            let (actions, next) = match cell.rsplit_once('/') {
                Some((actions, next)) => (actions.split(',').map(action).collect(), Some(next)),
                None => (Vec::new(), Some(cell).filter(|&cell| cell != "-")),
            };
            let next = next.map_or(state, |digit| STATES[digit.parse::<usize>().unwrap()]);
            assert_eq!(transition(state, input(name)), (next, &actions[..]), "{name} in {state:?}");
            cells += 1;
        }
    }
    assert_eq!(cells, 16 * 10);
}

#[test]
fn the_timer_runs_in_the_five_states_that_wait_for_the_peer() {
    let timed: Vec<State> = STATES.into_iter().filter(|state| state.has_timer()).collect();
    assert_eq!(timed, [State::Closing, State::Stopping, State::ReqSent, State::AckRcvd, State::AckSent]);
}

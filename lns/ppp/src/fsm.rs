//! The option negotiation automaton of RFC 1661 section 4: states, events, actions and the one table that joins
//! them. No packets, timers or counters here; those are `negotiate`'s.

/// A state of the automaton (RFC 1661 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// The lower layer is down and nobody asked for an open.
    Initial,
    /// The lower layer is down and an open was asked for.
    Starting,
    /// The lower layer is up and nobody asked for an open.
    Closed,
    /// The negotiation ended without the owner having asked for it.
    Stopped,
    /// A Terminate-Request is out because the owner closed.
    Closing,
    /// A Terminate-Request was answered or sent because of the peer.
    Stopping,
    /// A Configure-Request is out; neither side has acknowledged.
    ReqSent,
    /// The peer acknowledged ours.
    AckRcvd,
    /// We acknowledged the peer's.
    AckSent,
    /// Both acknowledged.
    Opened,
}

/// An event of the automaton (RFC 1661 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// Up: the lower layer is ready.
    Up,
    /// Down: the lower layer is gone. Never told to a machine here: a link whose lower layer is gone is dropped.
    #[cfg_attr(not(test), expect(dead_code, reason = "the table is kept whole"))]
    Down,
    /// Open: the owner wants the layer.
    Open,
    /// Close: the owner does not want it any more.
    Close,
    /// TO+: the restart timer ran out and the counter has not.
    TimeoutCounting,
    /// TO-: the restart timer and the counter ran out.
    TimeoutExhausted,
    /// RCR+: an acceptable Configure-Request.
    ConfigureRequestGood,
    /// RCR-: an unacceptable Configure-Request.
    ConfigureRequestBad,
    /// RCA: a valid Configure-Ack.
    ConfigureAck,
    /// RCN: a valid Configure-Nak or Configure-Reject.
    ConfigureNak,
    /// RTR: a Terminate-Request.
    TerminateRequest,
    /// RTA: a Terminate-Ack.
    TerminateAck,
    /// RUC: a packet with an unknown code.
    UnknownCode,
    /// RXJ+: a Code-Reject or Protocol-Reject of something that can be done without.
    RejectHarmless,
    /// RXJ-: a Code-Reject or Protocol-Reject of something that cannot.
    RejectFatal,
    /// RXR: an Echo-Request, Echo-Reply or Discard-Request.
    Echo,
}

/// An action of the automaton (RFC 1661 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// tlu: this layer is up.
    ThisLayerUp,
    /// tld: this layer is going down.
    ThisLayerDown,
    /// tls: the lower layer is needed.
    ThisLayerStarted,
    /// tlf: the lower layer is not needed any more.
    ThisLayerFinished,
    /// irc: initialise the restart counter.
    InitRestartCount,
    /// zrc: zero the restart counter and wait one period.
    ZeroRestartCount,
    /// scr: send Configure-Request.
    SendConfigureRequest,
    /// sca: send Configure-Ack.
    SendConfigureAck,
    /// scn: send Configure-Nak or Configure-Reject.
    SendConfigureNak,
    /// str: send Terminate-Request.
    SendTerminateRequest,
    /// sta: send Terminate-Ack.
    SendTerminateAck,
    /// scj: send Code-Reject.
    SendCodeReject,
    /// ser: answer an echo.
    SendEchoReply,
}

/// The table of RFC 1661 section 4.1: what happens in `state` on `input`, and the state after it.
///
/// ```text
///       | 0         1         2           3             4         5
/// Events| Initial   Starting  Closed      Stopped       Closing   Stopping
/// ------+-------------------------------------------------------------------
///  Up   |   2       irc,scr/6   -           -             -         -
///  Down |   -         -         0         tls/1           0         1
///  Open | tls/1       1       irc,scr/6     3             5         5
///  Close|   0       tlf/0       2           2             4         4
///  TO+  |   -         -         -           -           str/4     str/5
///  TO-  |   -         -         -           -           tlf/2     tlf/3
///  RCR+ |   -         -       sta/2   irc,scr,sca/8       4         5
///  RCR- |   -         -       sta/2   irc,scr,scn/6       4         5
///  RCA  |   -         -       sta/2       sta/3           4         5
///  RCN  |   -         -       sta/2       sta/3           4         5
///  RTR  |   -         -       sta/2       sta/3         sta/4     sta/5
///  RTA  |   -         -         2           3           tlf/2     tlf/3
///  RUC  |   -         -       scj/2       scj/3         scj/4     scj/5
///  RXJ+ |   -         -         2           3             4         5
///  RXJ- |   -         -       tlf/2       tlf/3         tlf/2     tlf/3
///  RXR  |   -         -         2           3             4         5
///
///       | 6         7         8         9
/// Events| Req-Sent  Ack-Rcvd  Ack-Sent  Opened
/// ------+-----------------------------------------
///  Up   |   -         -         -         -
///  Down |   1         1         1       tld/1
///  Open |   6         7         8         9
///  Close|irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4
///  TO+  | scr/6     scr/6     scr/8       -
///  TO-  | tlf/3     tlf/3     tlf/3       -
///  RCR+ | sca/8   sca,tlu/9   sca/8   tld,scr,sca/8
///  RCR- | scn/6     scn/7     scn/6   tld,scr,scn/6
///  RCA  | irc/7     scr/6   irc,tlu/9   tld,scr/6
///  RCN  |irc,scr/6  scr/6   irc,scr/8   tld,scr/6
///  RTR  | sta/6     sta/6     sta/6   tld,zrc,sta/5
///  RTA  |   6         6         8       tld,scr/6
///  RUC  | scj/6     scj/7     scj/8     scj/9
///  RXJ+ |   6         6         8         9
///  RXJ- | tlf/3     tlf/3     tlf/3   tld,irc,str/5
///  RXR  |   6         7         8       ser/9
/// ```
///
/// A dash is an event that cannot occur in that state; here it changes nothing. The optional passive and restart
/// behaviours (`p` and `r` in the RFC) are not taken up.
pub(crate) fn transition(state: State, input: Input) -> (State, &'static [Action]) {
    use Action::{
        InitRestartCount as Irc, SendCodeReject as Scj, SendConfigureAck as Sca, SendConfigureNak as Scn,
        SendConfigureRequest as Scr, SendEchoReply as Ser, SendTerminateAck as Sta,
        SendTerminateRequest as Str, ThisLayerDown as Tld, ThisLayerFinished as Tlf, ThisLayerStarted as Tls,
        ThisLayerUp as Tlu, ZeroRestartCount as Zrc,
    };
    use State::{AckRcvd, AckSent, Closed, Closing, Initial, Opened, ReqSent, Starting, Stopped, Stopping};

    match input {
        Input::Up => match state {
            Initial => (Closed, &[]),
            Starting => (ReqSent, &[Irc, Scr]),
            Closed | Stopped | Closing | Stopping | ReqSent | AckRcvd | AckSent | Opened => (state, &[]),
        },
        Input::Down => match state {
            Initial | Starting => (state, &[]),
            Closed | Closing => (Initial, &[]),
            Stopped => (Starting, &[Tls]),
            Stopping | ReqSent | AckRcvd | AckSent => (Starting, &[]),
            Opened => (Starting, &[Tld]),
        },
        Input::Open => match state {
            Initial => (Starting, &[Tls]),
            Closed => (ReqSent, &[Irc, Scr]),
            Closing => (Stopping, &[]),
            Starting | Stopped | Stopping | ReqSent | AckRcvd | AckSent | Opened => (state, &[]),
        },
        Input::Close => match state {
            Initial | Closed | Closing => (state, &[]),
            Starting => (Initial, &[Tlf]),
            Stopped => (Closed, &[]),
            Stopping => (Closing, &[]),
            ReqSent | AckRcvd | AckSent => (Closing, &[Irc, Str]),
            Opened => (Closing, &[Tld, Irc, Str]),
        },
        Input::TimeoutCounting => match state {
            Closing | Stopping => (state, &[Str]),
            ReqSent | AckRcvd => (ReqSent, &[Scr]),
            AckSent => (AckSent, &[Scr]),
            Initial | Starting | Closed | Stopped | Opened => (state, &[]),
        },
        Input::TimeoutExhausted => match state {
            Closing => (Closed, &[Tlf]),
            Stopping | ReqSent | AckRcvd | AckSent => (Stopped, &[Tlf]),
            Initial | Starting | Closed | Stopped | Opened => (state, &[]),
        },
        Input::ConfigureRequestGood => match state {
            Closed => (Closed, &[Sta]),
            Stopped => (AckSent, &[Irc, Scr, Sca]),
            ReqSent | AckSent => (AckSent, &[Sca]),
            AckRcvd => (Opened, &[Sca, Tlu]),
            Opened => (AckSent, &[Tld, Scr, Sca]),
            Initial | Starting | Closing | Stopping => (state, &[]),
        },
        Input::ConfigureRequestBad => match state {
            Closed => (Closed, &[Sta]),
            Stopped => (ReqSent, &[Irc, Scr, Scn]),
            ReqSent | AckSent => (ReqSent, &[Scn]),
            AckRcvd => (AckRcvd, &[Scn]),
            Opened => (ReqSent, &[Tld, Scr, Scn]),
            Initial | Starting | Closing | Stopping => (state, &[]),
        },
        Input::ConfigureAck => match state {
            Closed | Stopped => (state, &[Sta]),
            ReqSent => (AckRcvd, &[Irc]),
            AckRcvd => (ReqSent, &[Scr]),
            AckSent => (Opened, &[Irc, Tlu]),
            Opened => (ReqSent, &[Tld, Scr]),
            Initial | Starting | Closing | Stopping => (state, &[]),
        },
        Input::ConfigureNak => match state {
            Closed | Stopped => (state, &[Sta]),
            ReqSent => (ReqSent, &[Irc, Scr]),
            AckRcvd => (ReqSent, &[Scr]),
            AckSent => (AckSent, &[Irc, Scr]),
            Opened => (ReqSent, &[Tld, Scr]),
            Initial | Starting | Closing | Stopping => (state, &[]),
        },
        Input::TerminateRequest => match state {
            Closed | Stopped | Closing | Stopping => (state, &[Sta]),
            ReqSent | AckRcvd | AckSent => (ReqSent, &[Sta]),
            Opened => (Stopping, &[Tld, Zrc, Sta]),
            Initial | Starting => (state, &[]),
        },
        Input::TerminateAck => match state {
            Closing => (Closed, &[Tlf]),
            Stopping => (Stopped, &[Tlf]),
            ReqSent | AckRcvd => (ReqSent, &[]),
            Opened => (ReqSent, &[Tld, Scr]),
            Initial | Starting | Closed | Stopped | AckSent => (state, &[]),
        },
        Input::UnknownCode => match state {
            Closed | Stopped | Closing | Stopping | ReqSent | AckRcvd | AckSent | Opened => (state, &[Scj]),
            Initial | Starting => (state, &[]),
        },
        Input::RejectHarmless => match state {
            AckRcvd => (ReqSent, &[]),
            Initial | Starting | Closed | Stopped | Closing | Stopping | ReqSent | AckSent | Opened => {
                (state, &[])
            }
        },
        Input::RejectFatal => match state {
            Closed | Closing => (Closed, &[Tlf]),
            Stopped | Stopping | ReqSent | AckRcvd | AckSent => (Stopped, &[Tlf]),
            Opened => (Stopping, &[Tld, Irc, Str]),
            Initial | Starting => (state, &[]),
        },
        Input::Echo => match state {
            Opened => (Opened, &[Ser]),
            Initial | Starting | Closed | Stopped | Closing | Stopping | ReqSent | AckRcvd | AckSent => {
                (state, &[])
            }
        },
    }
}

impl State {
    /// The states in which the restart timer runs (RFC 1661 4.6).
    pub(crate) fn has_timer(self) -> bool {
        match self {
            Self::Closing | Self::Stopping | Self::ReqSent | Self::AckRcvd | Self::AckSent => true,
            Self::Initial | Self::Starting | Self::Closed | Self::Stopped | Self::Opened => false,
        }
    }

    /// The states in which a Configure-Request is looked into rather than answered by what the state alone says.
    pub(crate) fn negotiates(self) -> bool {
        match self {
            Self::Stopped | Self::ReqSent | Self::AckRcvd | Self::AckSent | Self::Opened => true,
            Self::Initial | Self::Starting | Self::Closed | Self::Closing | Self::Stopping => false,
        }
    }
}

#[cfg(test)]
mod tests;

//! The numbers of RFC 2661 (and the few later ones that peers send): message types, attribute types, result and
//! error codes. Nothing here reads or writes octets; see `avp` and `message`.

use std::fmt;

/// Control message types, RFC 2661 section 3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum MessageType {
    /// Start-Control-Connection-Request.
    Sccrq = 1,
    /// Start-Control-Connection-Reply.
    Sccrp = 2,
    /// Start-Control-Connection-Connected.
    Scccn = 3,
    /// Stop-Control-Connection-Notification.
    StopCcn = 4,
    /// Keep-alive.
    Hello = 6,
    /// Outgoing-Call-Request.
    Ocrq = 7,
    /// Outgoing-Call-Reply.
    Ocrp = 8,
    /// Outgoing-Call-Connected.
    Occn = 9,
    /// Incoming-Call-Request.
    Icrq = 10,
    /// Incoming-Call-Reply.
    Icrp = 11,
    /// Incoming-Call-Connected.
    Iccn = 12,
    /// Call-Disconnect-Notify.
    Cdn = 14,
    /// WAN-Error-Notify.
    Wen = 15,
    /// Set-Link-Info.
    Sli = 16,
}

impl MessageType {
    /// The message type with this number; `None` for a number that RFC 2661 reserves or does not know.
    pub fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Sccrq,
            2 => Self::Sccrp,
            3 => Self::Scccn,
            4 => Self::StopCcn,
            6 => Self::Hello,
            7 => Self::Ocrq,
            8 => Self::Ocrp,
            9 => Self::Occn,
            10 => Self::Icrq,
            11 => Self::Icrp,
            12 => Self::Iccn,
            14 => Self::Cdn,
            15 => Self::Wen,
            16 => Self::Sli,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// True for the messages that belong to one session, so that a fault in them ends that session and not the
    /// tunnel.
    pub fn concerns_a_session(self) -> bool {
        match self {
            Self::Sccrq | Self::Sccrp | Self::Scccn | Self::StopCcn | Self::Hello => false,
            Self::Ocrq
            | Self::Ocrp
            | Self::Occn
            | Self::Icrq
            | Self::Icrp
            | Self::Iccn
            | Self::Cdn
            | Self::Wen
            | Self::Sli => true,
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sccrq => "SCCRQ",
            Self::Sccrp => "SCCRP",
            Self::Scccn => "SCCCN",
            Self::StopCcn => "StopCCN",
            Self::Hello => "HELLO",
            Self::Ocrq => "OCRQ",
            Self::Ocrp => "OCRP",
            Self::Occn => "OCCN",
            Self::Icrq => "ICRQ",
            Self::Icrp => "ICRP",
            Self::Iccn => "ICCN",
            Self::Cdn => "CDN",
            Self::Wen => "WEN",
            Self::Sli => "SLI",
        })
    }
}

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $words:literal, $mandatory:literal, $hideable:literal;)*) => {
        /// Attribute types of the IETF (vendor 0), RFC 2661 section 4.4 and RFC 3145.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Attribute {
            $($(#[$doc])* $name = $number,)*
        }

        impl Attribute {
            /// Every attribute that this crate knows.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The attribute with this number; `None` when unknown.
            pub fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The number on the wire.
            pub fn number(self) -> u16 {
                self as u16
            }

            /// Whether we send it with the M bit, as its section of RFC 2661 demands.
            pub fn mandatory(self) -> bool {
                match self {
                    $(Self::$name => $mandatory,)*
                }
            }

            /// Whether its section of RFC 2661 allows it to be hidden.
            pub fn hideable(self) -> bool {
                match self {
                    $(Self::$name => $hideable,)*
                }
            }
        }

        impl fmt::Display for Attribute {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $words,)*
                })
            }
        }
    };
}

attributes! {
    /// Section 4.4.1.
    MessageType = 0, "Message Type", true, false;
    /// Section 4.4.2.
    ResultCode = 1, "Result Code", true, false;
    /// Section 4.4.3.
    ProtocolVersion = 2, "Protocol Version", true, false;
    /// Section 4.4.3.
    FramingCapabilities = 3, "Framing Capabilities", true, true;
    /// Section 4.4.3.
    BearerCapabilities = 4, "Bearer Capabilities", true, true;
    /// Section 4.4.3.
    TieBreaker = 5, "Tie Breaker", false, false;
    /// Section 4.4.3.
    FirmwareRevision = 6, "Firmware Revision", false, true;
    /// Section 4.4.3.
    HostName = 7, "Host Name", true, false;
    /// Section 4.4.3.
    VendorName = 8, "Vendor Name", false, true;
    /// Section 4.4.3.
    AssignedTunnelId = 9, "Assigned Tunnel ID", true, true;
    /// Section 4.4.3.
    ReceiveWindowSize = 10, "Receive Window Size", true, false;
    /// Section 4.4.3.
    Challenge = 11, "Challenge", true, true;
    /// Section 4.4.4.
    Q931Cause = 12, "Q.931 Cause Code", true, false;
    /// Section 4.4.3.
    ChallengeResponse = 13, "Challenge Response", true, true;
    /// Section 4.4.4.
    AssignedSessionId = 14, "Assigned Session ID", true, true;
    /// Section 4.4.4.
    CallSerialNumber = 15, "Call Serial Number", true, true;
    /// Section 4.4.4.
    MinimumBps = 16, "Minimum BPS", true, true;
    /// Section 4.4.4.
    MaximumBps = 17, "Maximum BPS", true, true;
    /// Section 4.4.4.
    BearerType = 18, "Bearer Type", true, true;
    /// Section 4.4.4.
    FramingType = 19, "Framing Type", true, true;
    /// Section 4.4.4.
    CalledNumber = 21, "Called Number", true, true;
    /// Section 4.4.4.
    CallingNumber = 22, "Calling Number", true, true;
    /// Section 4.4.4.
    SubAddress = 23, "Sub-Address", true, true;
    /// Section 4.4.4.
    TxConnectSpeed = 24, "Tx Connect Speed", true, true;
    /// Section 4.4.4.
    PhysicalChannelId = 25, "Physical Channel ID", false, true;
    /// Section 4.4.5.
    InitialReceivedLcp = 26, "Initial Received LCP CONFREQ", false, true;
    /// Section 4.4.5.
    LastSentLcp = 27, "Last Sent LCP CONFREQ", false, true;
    /// Section 4.4.5.
    LastReceivedLcp = 28, "Last Received LCP CONFREQ", false, true;
    /// Section 4.4.5.
    ProxyAuthenType = 29, "Proxy Authen Type", false, true;
    /// Section 4.4.5.
    ProxyAuthenName = 30, "Proxy Authen Name", false, true;
    /// Section 4.4.5.
    ProxyAuthenChallenge = 31, "Proxy Authen Challenge", false, true;
    /// Section 4.4.5.
    ProxyAuthenId = 32, "Proxy Authen ID", false, true;
    /// Section 4.4.5.
    ProxyAuthenResponse = 33, "Proxy Authen Response", false, true;
    /// Section 4.4.6.
    CallErrors = 34, "Call Errors", true, true;
    /// Section 4.4.6.
    Accm = 35, "ACCM", true, true;
    /// Section 4.4.1.
    RandomVector = 36, "Random Vector", true, false;
    /// Section 4.4.4.
    PrivateGroupId = 37, "Private Group ID", false, true;
    /// Section 4.4.4.
    RxConnectSpeed = 38, "Rx Connect Speed", false, true;
    /// Section 4.4.4.
    SequencingRequired = 39, "Sequencing Required", true, false;
    /// RFC 3145 section 2.
    PppDisconnectCause = 46, "PPP Disconnect Cause Code", false, true;
}

macro_rules! open_codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal, $words:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A number that this list does not name.
            Other(u16),
        }

        impl $name {
            /// The number on the wire.
            pub fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }
        }

        impl From<u16> for $name {
            fn from(number: u16) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($words),)*
                    Self::Other(number) => write!(f, "code {number}"),
                }
            }
        }
    };
}

open_codes! {
    /// Result codes of StopCCN, RFC 2661 section 4.4.2.
    StopResult {
        /// 1.
        GeneralRequest = 1, "control connection cleared on request";
        /// 2: the error code says what.
        GeneralError = 2, "general error";
        /// 3.
        AlreadyExists = 3, "control channel already exists";
        /// 4.
        NotAuthorized = 4, "not authorized to establish a control channel";
        /// 5: the error code is the highest version that the sender speaks.
        VersionNotSupported = 5, "protocol version not supported";
        /// 6.
        ShuttingDown = 6, "being shut down";
        /// 7.
        StateMachineError = 7, "finite state machine error";
    }
}

open_codes! {
    /// Result codes of CDN, RFC 2661 section 4.4.2.
    CdnResult {
        /// 1.
        CarrierLost = 1, "loss of carrier";
        /// 2: the error code says what.
        GeneralError = 2, "general error";
        /// 3.
        Administrative = 3, "administrative reasons";
        /// 4.
        NoFacilitiesNow = 4, "no facilities available now";
        /// 5.
        NoFacilitiesEver = 5, "no such facilities here";
        /// 6.
        InvalidDestination = 6, "invalid destination";
        /// 7.
        NoCarrier = 7, "no carrier detected";
        /// 8.
        Busy = 8, "busy signal detected";
        /// 9.
        NoDialTone = 9, "no dial tone";
        /// 10.
        NotEstablishedInTime = 10, "call not established within the time allotted";
        /// 11.
        NoFraming = 11, "no appropriate framing detected";
    }
}

open_codes! {
    /// General error codes, RFC 2661 section 4.4.2 (9 from RFC 3931).
    ErrorCode {
        /// 0.
        NoError = 0, "no general error";
        /// 1.
        NoControlConnection = 1, "no control connection exists yet";
        /// 2.
        BadLength = 2, "length is wrong";
        /// 3.
        BadValue = 3, "a value is out of range or a reserved field is not zero";
        /// 4.
        NoResources = 4, "insufficient resources now";
        /// 5.
        InvalidSessionId = 5, "session id invalid in this context";
        /// 6.
        VendorSpecific = 6, "vendor-specific error";
        /// 7.
        TryAnother = 7, "try another";
        /// 8.
        UnknownMandatoryAvp = 8, "unknown mandatory AVP";
        /// 9.
        TryAnotherDirected = 9, "try another of those named";
    }
}

open_codes! {
    /// How the LAC authenticated the caller, RFC 2661 section 4.4.5.
    ProxyAuthenType {
        /// 1: a user name and password asked for in text.
        Text = 1, "textual";
        /// 2: CHAP with MD5.
        Chap = 2, "CHAP";
        /// 3: PAP.
        Pap = 3, "PAP";
        /// 4: not at all.
        None = 4, "none";
        /// 5: MS-CHAP version 1.
        MsChapV1 = 5, "MS-CHAP version 1";
    }
}

open_codes! {
    /// Why PPP ended at the other end, RFC 3145 section 2.1.
    PppDisconnectCode {
        /// 0.
        NoInformation = 0, "no information";
        /// 1.
        Administrative = 1, "administrative disconnect";
        /// 2.
        RenegotiationDisabled = 2, "LCP renegotiation at the LNS is disabled";
        /// 3.
        Normal = 3, "normal disconnection";
        /// 4.
        EncryptionRefused = 4, "compulsory encryption was refused";
        /// 5.
        LcpNotConverging = 5, "LCP failed to converge";
        /// 6.
        LcpSilent = 6, "no LCP packets were received";
        /// 7.
        LoopedBack = 7, "LCP magic number error, link possibly looped back";
        /// 8.
        EchoTimeout = 8, "LCP echo requests stayed unanswered";
        /// 9.
        UnexpectedDiscriminator = 9, "unexpected endpoint discriminator for the multilink bundle";
        /// 10.
        UnexpectedMrru = 10, "unexpected MRRU for the multilink bundle";
        /// 11.
        UnexpectedShortSequence = 11, "unexpected short sequence number option for the multilink bundle";
        /// 12.
        CallbackRefused = 12, "compulsory call-back was refused";
        /// 13.
        AuthenticationTimeout = 13, "authentication timed out";
        /// 14.
        UnexpectedName = 14, "unexpected authenticated name for the multilink bundle";
        /// 15.
        AuthenticationRefused = 15, "the authentication protocol was refused";
        /// 16.
        AuthenticationFailed = 16, "authentication failed";
        /// 17.
        NcpNotConverging = 17, "NCP failed to converge";
        /// 18.
        NoNcp = 18, "no NCP available";
        /// 19.
        NoAddress = 19, "NCP could not agree on an address";
        /// 20.
        NcpInhibited = 20, "NCP negotiation was inhibited";
    }
}

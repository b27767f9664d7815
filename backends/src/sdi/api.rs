//! Questions and answers of the RSA SecurID Authentication API, version 1.1, in JSON.
//!
//! What we do not know in an answer says nothing; what we need and do not find makes it no answer.

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

/// What the server wants of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// PIN and code, or a code.
    Passcode,
    /// The code that the token shows next: somebody may have guessed.
    NextTokencode,
    /// A PIN of the user's own choice.
    NewPin,
}

const METHODS: [(&str, Method); 3] = [
    ("SECURID", Method::Passcode),
    ("SECURID_NEXT_TOKENCODE", Method::NextTokencode),
    ("SECURID_NEWPIN", Method::NewPin),
];

impl Method {
    /// The API's word for it.
    pub(super) fn id(self) -> &'static str {
        METHODS.iter().find(|(_, method)| *method == self).map_or("?", |(id, _)| id)
    }

    /// What the user is told to type; pppd and Windows show it.
    pub(super) fn prompt(self) -> &'static str {
        match self {
            Self::Passcode => "Now log in again with your passcode: PIN and the next code of your token",
            Self::NextTokencode => {
                "Wait until your token shows another code, then log in again with that code as password"
            }
            Self::NewPin => "Choose a new PIN, then log in again with the new PIN as password",
        }
    }
}

/// The answer's place in the attempt (`context`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context {
    authn_attempt_id: String,
    message_id: String,
    #[serde(default)]
    in_response_to: Option<String>,
}

/// The user's input, which is wiped when the question has been written down.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credential<'a> {
    method_id: &'a str,
    collected_inputs: [Input<'a>; 1],
}

#[derive(Serialize)]
struct Input<'a> {
    name: &'a str,
    value: &'a str,
}

fn credential<'a>(method: Method, value: &'a str) -> Credential<'a> {
    let method_id = method.id();
    Credential { method_id, collected_inputs: [Input { name: method_id, value }] }
}

/// `POST authn/initialize`: a new attempt that brings its passcode along.
pub(super) fn initialize(client: &str, user: &str, message_id: &str, passcode: &str) -> Zeroizing<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialize<'a> {
        client_id: &'a str,
        subject_name: &'a str,
        subject_credentials: [Credential<'a>; 1],
        context: serde_json::Value,
    }
    octets(&Initialize {
        client_id: client,
        subject_name: user,
        subject_credentials: [credential(Method::Passcode, passcode)],
        context: json!({ "authnAttemptId": "", "messageId": message_id, "inResponseTo": "" }),
    })
}

/// `POST authn/verify`: what the server asked for in the attempt.
pub(super) fn verify(method: Method, context: &Context, message_id: &str, value: &str) -> Zeroizing<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Verify<'a> {
        subject_credentials: [Credential<'a>; 1],
        context: serde_json::Value,
    }
    octets(&Verify {
        subject_credentials: [credential(method, value)],
        context: json!({
            "authnAttemptId": context.authn_attempt_id,
            "messageId": message_id,
            "inResponseTo": context.message_id,
        }),
    })
}

fn octets(question: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // Strings and no maps with other keys: nothing that JSON could not hold. Room enough that no half of it is left
    // behind by growing.
    let mut octets = Zeroizing::new(Vec::with_capacity(4096));
    let _ = serde_json::to_writer(&mut *octets, question);
    octets
}

/// An answer to either question.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    context: Context,
    attempt_response_code: String,
    #[serde(default)]
    credential_validation_results: Vec<Validation>,
    #[serde(default)]
    challenge_methods: Option<ChallengeMethods>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    #[serde(default)]
    method_response_code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct ChallengeMethods {
    #[serde(default)]
    challenges: Vec<MethodSet>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MethodSet {
    #[serde(default)]
    required_methods: Vec<RequiredMethod>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequiredMethod {
    method_id: String,
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    Success,
    Fail,
    Challenge(Method),
    /// The server's own word for what it wants.
    Unknown(String),
}

impl Answer {
    /// Reads an answer to the question with this number.
    pub(super) fn parse(body: &[u8], message_id: &str) -> Result<Self, String> {
        let answer: Self = serde_json::from_slice(body)
            .map_err(|error| format!("its answer is not what the API describes: {error}"))?;
        if answer.context.in_response_to.as_deref() != Some(message_id) {
            return Err("its answer belongs to another question".to_owned());
        }
        Ok(answer)
    }

    /// True when the server liked what it was given, whatever it wants next.
    pub(super) fn was_right(&self) -> bool {
        let results = &self.credential_validation_results;
        results.iter().any(|result| result.method_response_code.as_deref() == Some("SUCCESS"))
    }

    pub(super) fn decision(&self) -> Decision {
        match self.attempt_response_code.as_str() {
            "SUCCESS" => Decision::Success,
            "FAIL" => Decision::Fail,
            "CHALLENGE" => self.challenge(),
            other => Decision::Unknown(word(other)),
        }
    }

    /// One method that alone is enough for a set; of several the first that we know.
    fn challenge(&self) -> Decision {
        let sets = self.challenge_methods.as_ref().map_or(&[][..], |methods| &methods.challenges);
        let known = sets.iter().find_map(|set| match set.required_methods.as_slice() {
            [only] => METHODS.iter().find(|(id, _)| *id == only.method_id).map(|(_, method)| *method),
            _ => None,
        });
        known.map_or_else(
            || {
                let wanted =
                    sets.iter().flat_map(|set| &set.required_methods).map(|method| &method.method_id);
                Decision::Unknown(wanted.map(|id| word(id)).collect::<Vec<_>>().join(" and "))
            },
            Decision::Challenge,
        )
    }

    pub(super) fn into_context(self) -> Context {
        self.context
    }
}

/// A server's word for the log: short and printable.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, methods: &[&[&str]]) -> Vec<u8> {
        let sets: Vec<_> = methods
            .iter()
            .map(|set| {
                let required: Vec<_> = set
                    .iter()
                    .map(|id| json!({ "methodId": id, "priority": null, "versions": [] }))
                    .collect();
                json!({ "methodSetId": null, "requiredMethods": required })
            })
            .collect();
        serde_json::to_vec(&json!({
            "context": { "authnAttemptId": "a", "messageId": "m", "inResponseTo": "q" },
            "credentialValidationResults": [],
            "attemptResponseCode": code,
            "attemptReasonCode": null,
            "challengeMethods": { "challenges": sets },
        }))
        .unwrap()
    }

    fn decision(code: &str, methods: &[&[&str]]) -> Decision {
        Answer::parse(&answer(code, methods), "q").unwrap().decision()
    }

    #[test]
    fn each_code_has_its_meaning() {
        assert_eq!(decision("SUCCESS", &[]), Decision::Success);
        assert_eq!(decision("FAIL", &[]), Decision::Fail);
        assert_eq!(decision("CHALLENGE", &[&["SECURID"]]), Decision::Challenge(Method::Passcode));
        assert_eq!(decision("CHALLENGE", &[&["SECURID_NEWPIN"]]), Decision::Challenge(Method::NewPin));
        assert_eq!(
            decision("CHALLENGE", &[&["APPROVE"], &["SECURID_NEXT_TOKENCODE"]]),
            Decision::Challenge(Method::NextTokencode)
        );
        assert_eq!(
            decision("CHALLENGE", &[&["SECURID", "VOICE\n"]]),
            Decision::Unknown("SECURID and VOICE".to_owned())
        );
        assert_eq!(decision("IN_PROCESS", &[]), Decision::Unknown("IN_PROCESS".to_owned()));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        assert!(Answer::parse(&answer("SUCCESS", &[]), "other").is_err());
        let without =
            br#"{"context":{"authnAttemptId":"a","messageId":"m"},"attemptResponseCode":"SUCCESS"}"#;
        assert!(Answer::parse(without, "").is_err());
        for broken in [&b""[..], b"null", b"[]", b"{}", br#"{"attemptResponseCode":"SUCCESS"}"#, b"\xff"] {
            assert!(Answer::parse(broken, "q").is_err(), "{}", String::from_utf8_lossy(broken));
        }
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert!(Answer::parse(&deep, "q").is_err());
    }

    #[test]
    fn questions_have_the_published_form() {
        let question = initialize("vpn", "jo\"e", "q", "1234\\567890");
        let question: serde_json::Value = serde_json::from_slice(&question).unwrap();
        assert_eq!(
            question,
            json!({
                "clientId": "vpn",
                "subjectName": "jo\"e",
                "subjectCredentials": [{
                    "methodId": "SECURID",
                    "collectedInputs": [{ "name": "SECURID", "value": "1234\\567890" }],
                }],
                "context": { "authnAttemptId": "", "messageId": "q", "inResponseTo": "" },
            })
        );
        let context = Answer::parse(&answer("CHALLENGE", &[]), "q").unwrap().into_context();
        let question = verify(Method::NewPin, &context, "q2", "8765");
        let question: serde_json::Value = serde_json::from_slice(&question).unwrap();
        assert_eq!(
            question,
            json!({
                "subjectCredentials": [{
                    "methodId": "SECURID_NEWPIN",
                    "collectedInputs": [{ "name": "SECURID_NEWPIN", "value": "8765" }],
                }],
                "context": { "authnAttemptId": "a", "messageId": "q2", "inResponseTo": "m" },
            })
        );
    }
}

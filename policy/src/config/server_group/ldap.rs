//! An LDAP server, and the maps from its attributes to those of a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_backends::ldap::{
    AttributeMap, AttributeRule, DirectoryType, LdapSettings, Scope, Security, Target,
};

use super::super::section::Section;
use super::host;

/// `[ldap-attribute-map.NAME]`, by name.
pub(super) type Maps = BTreeMap<String, Arc<AttributeMap>>;

/// Reads all maps.
pub(super) fn maps(root: &mut Section<'_>) -> Maps {
    root.named("ldap-attribute-map").into_iter().map(|(name, table)| (name, Arc::new(map(table)))).collect()
}

/// `map-name` says which attribute of the directory sets what; `map-value` turns values into those that count here.
/// Where an attribute has a `map-value`, its other values say nothing.
fn map(mut table: Section<'_>) -> AttributeMap {
    let names: BTreeMap<String, String> =
        table.get("map-name", "a table such as { memberOf = \"Group-Policy\" }").unwrap_or_default();
    let mut values: BTreeMap<String, BTreeMap<String, String>> = table
        .get("map-value", "a table such as { memberOf = { \"CN=Sales,DC=corp\" = \"sales\" } }")
        .unwrap_or_default();
    if names.is_empty() {
        table.error("map-name", "names no attribute", "write map-name = { memberOf = \"Group-Policy\" }");
    }
    let mut rules = Vec::new();
    for (attribute, word) in names {
        let target: Target = match word.parse() {
            Ok(target) => target,
            Err(unknown) => {
                let key = format!("map-name.{attribute}");
                table.error(&key, format!("{unknown}"), "write one of these names");
                values.remove(&attribute);
                continue;
            }
        };
        let rule = |value, result| AttributeRule { attribute: attribute.clone(), value, target, result };
        match values.remove(&attribute) {
            Some(values) => {
                rules.extend(values.into_iter().map(|(value, result)| rule(Some(value), Some(result))));
            }
            None => rules.push(rule(None, None)),
        }
    }
    for attribute in values.keys() {
        table.error(
            &format!("map-value.{attribute}"),
            "turns values of an attribute that map-name does not name",
            format!("add {attribute} to map-name"),
        );
    }
    table.finish();
    AttributeMap::new(rules)
}

/// One server.
pub(super) fn host(mut table: Section<'_>, attribute_map: Arc<AttributeMap>) -> LdapSettings {
    let security = security(&mut table);
    let port = if matches!(security, Security::Ldaps(_)) { 636 } else { 389 };
    let dn_template: Option<String> = table.get("ldap-dn-template", "a name with {user} in it, in quotes");
    let base_dn: Option<String> = table.get("ldap-base-dn", "a distinguished name in quotes");
    if dn_template.is_none() && base_dn.is_none() && !table.was_given("ldap-base-dn") {
        table.error(
            "ldap-base-dn",
            "is missing: there is nowhere to look for users",
            "write ldap-base-dn = \"dc=example,dc=net\", or ldap-dn-template",
        );
    }
    let settings = LdapSettings {
        endpoint: host::endpoint(&mut table, port),
        base_dn: base_dn.unwrap_or_default(),
        scope: word(
            &mut table,
            "ldap-scope",
            &[("one-level", Scope::OneLevel), ("subtree", Scope::Subtree)],
            Scope::OneLevel,
        ),
        naming_attributes: naming_attributes(&mut table),
        login: login(&mut table),
        dn_template,
        filter: table.get("ldap-filter", "a search filter in quotes, such as \"(objectClass=person)\""),
        server_type: word(
            &mut table,
            "server-type",
            &[
                ("auto-detect", DirectoryType::AutoDetect),
                ("microsoft", DirectoryType::Microsoft),
                ("openldap", DirectoryType::OpenLdap),
            ],
            DirectoryType::AutoDetect,
        ),
        timeout: host::timeout(&mut table),
        attribute_map,
        security,
    };
    table.finish();
    settings
}

fn security(table: &mut Section<'_>) -> Security {
    const KEY: &str = "ldap-over-ssl";
    /// A flag or a word.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Written {
        Flag(bool),
        Word(String),
    }
    const EXPECTED: &str = "true, false or \"start-tls\"";
    let written = table.get(KEY, EXPECTED).unwrap_or(Written::Flag(false));
    let tls = host::tls(table);
    match written {
        Written::Flag(true) => Security::Ldaps(tls),
        Written::Word(word) if word == "start-tls" => Security::StartTls(tls),
        Written::Flag(false) => {
            table.warn(
                KEY,
                "is off: passwords of users travel to the directory in clear",
                "set ldap-over-ssl = true or \"start-tls\"",
            );
            Security::Clear
        }
        Written::Word(_) => {
            table.error(KEY, "holds a string", format!("write {EXPECTED}"));
            Security::Ldaps(tls)
        }
    }
}

fn naming_attributes(table: &mut Section<'_>) -> Vec<String> {
    /// One or several.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Several(Vec<String>),
    }
    match table.get("ldap-naming-attribute", "an attribute in quotes, such as \"uid\", or a list of them") {
        Some(Written::One(name)) => vec![name],
        Some(Written::Several(names)) => names,
        None => vec!["uid".to_owned()],
    }
}

fn login(table: &mut Section<'_>) -> Option<(String, tollgate_aaa::Secret)> {
    let dn: Option<String> = table.get("ldap-login-dn", "a distinguished name in quotes");
    let password = table.secret("ldap-login-password");
    if table.was_given("ldap-login-dn") != table.was_given("ldap-login-password") {
        table.error(
            "ldap-login-dn",
            "needs ldap-login-password, and the password needs the name",
            "write both, or neither for an anonymous search",
        );
    }
    dn.zip(password)
}

/// One of several words, each with what it means.
fn word<T: Copy>(table: &mut Section<'_>, key: &'static str, words: &[(&str, T)], default: T) -> T {
    let expected = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
    let Some(written) = table.get::<String>(key, &expected) else { return default };
    match words.iter().find(|(word, _)| *word == written) {
        Some((_, meaning)) => *meaning,
        None => {
            table.error(key, format!("{written:?} is not {expected}"), format!("write {expected}"));
            default
        }
    }
}

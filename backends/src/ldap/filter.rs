//! Filters and names with the user in them. Whatever a user typed is escaped: RFC 4515 section 3 in filters, RFC 4514
//! section 2.4 in names.

use ldap3::asn1::ASNTag;
use ldap3::{dn_escape, ldap_escape};

use super::message::encode;

/// Where the user's name goes in a filter or a template.
pub(super) const PLACE: &str = "{user}";
/// LDAP_MATCHING_RULE_IN_CHAIN: Active Directory follows groups within groups.
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// `(|(uid=joe)(mail=joe))`, in BER, with the configured filter beside it. `None`: it is no filter.
pub(super) fn for_user(naming: &[String], configured: Option<&str>, user: &str) -> Option<Vec<u8>> {
    let user = ldap_escape(user);
    let names: String = naming.iter().map(|attribute| format!("({attribute}={user})")).collect();
    let names = if naming.len() == 1 { names } else { format!("(|{names})") };
    parse(&match configured {
        Some(filter) => format!("(&{names}{})", in_place(filter, &user)),
        None => names,
    })
}

/// For an entry that is known already: the configured filter or everything.
pub(super) fn for_entry(configured: Option<&str>, user: &str) -> Option<Vec<u8>> {
    parse(
        &configured
            .map_or_else(|| "(objectClass=*)".to_owned(), |filter| in_place(filter, &ldap_escape(user))),
    )
}

/// Fits a user who is in the group directly or through other groups.
pub(super) fn in_group(group: &str) -> Option<Vec<u8>> {
    parse(&format!("(memberOf:{IN_CHAIN}:={})", ldap_escape(group)))
}

/// Fits every entry.
pub(super) fn anything() -> Option<Vec<u8>> {
    for_entry(None, "")
}

/// The name to bind with.
pub(super) fn bind_name(template: &str, user: &str) -> String {
    if is_dn(template) {
        template.replace(PLACE, &dn_escape(user))
    } else {
        // `{user}@corp.example`, as Active Directory takes it.
        template.replace(PLACE, user)
    }
}

/// True for a template that makes a distinguished name.
pub(super) fn is_dn(template: &str) -> bool {
    template.contains('=')
}

fn in_place(filter: &str, escaped: &str) -> String {
    let filter = filter.trim();
    let filter = if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") };
    filter.replace(PLACE, escaped)
}

fn parse(filter: &str) -> Option<Vec<u8>> {
    ldap3::parse_filter(filter).ok().map(|tag| encode(tag.into_structure()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_the_user_typed_is_a_value_and_nothing_else() {
        for user in ["*", "*)(uid=*", "a\\2a", "joe)(|(uid=*", "ümlaut *", "()\\*"] {
            let filter = for_user(&naming(&["uid"]), None, user).unwrap();
            let mut expected = vec![0xa3, u8::try_from(user.len() + 7).unwrap(), 0x04, 3];
            expected.extend_from_slice(b"uid\x04");
            expected.push(u8::try_from(user.len()).unwrap());
            expected.extend_from_slice(user.as_bytes());
            assert_eq!(filter, expected, "{user}");
        }
    }

    #[test]
    fn names_and_filter_are_joined() {
        let one = for_user(&naming(&["uid", "mail"]), Some("(owner=cn={user})"), "a*").unwrap();
        let by_hand = parse("(&(|(uid=a\\2a)(mail=a\\2a))(owner=cn=a\\2a))").unwrap();
        assert_eq!(one, by_hand);
        let bare = for_user(&naming(&["uid"]), Some("objectClass=person"), "a").unwrap();
        assert_eq!(bare, parse("(&(uid=a)(objectClass=person))").unwrap());
        assert_eq!(for_user(&naming(&["uid"]), Some("(broken"), "a"), None);
    }

    #[test]
    fn a_name_in_a_template_stays_one_part_of_it() {
        assert_eq!(bind_name("uid={user},ou=p", "a,ou=admins"), "uid=a\\2cou\\3dadmins,ou=p");
        assert_eq!(bind_name("{user}@corp.test", "alice"), "alice@corp.test");
    }
}

use super::*;
use crate::algorithm::{EspCipher, EspSuite, Integrity, Mode};
use crate::ikev1::proposal::{OwnTransform, decode, encode, encode_each};

fn policy(cipher: Cipher, hash: Hash, group: Group) -> Policy {
    let authentication = Authentication::PreSharedKey;
    Policy { authentication, cipher, hash, group, lifetime: Duration::from_secs(28_800) }
}

fn set(cipher: EspCipher, integrity: Option<Integrity>) -> TransformSet {
    TransformSet { suite: EspSuite::new(cipher, integrity).unwrap(), mode: Mode::Transport }
}

fn offer(policies: &[Policy]) -> Vec<u8> {
    offer_phase1(policies)
}

fn chosen(body: &[u8], policies: &[Policy], preference: Preference) -> Option<String> {
    choose_phase1(&decode(body).unwrap(), policies, preference, |_| true)
        .map(|(_, chosen)| chosen.policy.to_string())
}

#[test]
fn every_policy_that_is_offered_is_read_as_itself() {
    for cipher in Cipher::ALL.iter().copied() {
        for hash in Hash::ALL.iter().copied() {
            for group in Group::ALL.iter().copied() {
                for authentication in Authentication::ALL.iter().copied() {
                    let policy = Policy { authentication, ..policy(cipher, hash, group) };
                    let body = offer(&[policy]);
                    let proposals = decode(&body).unwrap();
                    let life = Life { seconds: Some(28_800), kilobytes: None };
                    assert_eq!(read_phase1(&proposals[0].transforms[0]), Offered::Known(policy, life));
                }
            }
        }
    }
}

#[test]
fn attributes_of_phase_1_may_come_in_any_order_and_form() {
    let transform = |attributes: &[u8]| read_phase1(&Transform { number: 1, id: 1, attributes });
    let expected = policy(Cipher::Aes256, Hash::Sha1, Group::Modp2048);
    let parts: [&[u8]; 7] = [
        &[0, 1, 0, 2, 0, 7],
        &[0x80, 14, 1, 0],
        &[0x80, 2, 0, 2],
        &[0, 4, 0, 4, 0, 0, 0, 14],
        &[0x80, 3, 0, 1],
        &[0x80, 11, 0, 1],
        &[0, 12, 0, 4, 0, 0, 0x70, 0x80],
    ];
    let forward = parts.concat();
    // The life's type comes before its duration; the rest is free.
    let shuffled = [6usize, 5, 4, 3, 2, 1, 0].map(|at| parts[if at >= 5 { 11 - at } else { at }]).concat();
    for attributes in [forward, shuffled] {
        let Offered::Known(policy, life) = transform(&attributes) else {
            panic!("{:?}", transform(&attributes))
        };
        assert_eq!((policy, life.seconds), (expected, Some(28_800)));
    }
}

#[test]
fn what_is_unknown_in_phase_1_is_told_in_words() {
    let transform = |attributes: &[u8]| read_phase1(&Transform { number: 1, id: 1, attributes });
    let words = |attributes: &[u8]| match transform(attributes) {
        Offered::Unknown(words) => words,
        known => panic!("{known:?}"),
    };
    let all = [0x80, 1, 0, 7, 0x80, 14, 1, 0, 0x80, 2, 0, 2, 0x80, 4, 0, 31, 0x80, 3, 0, 1];
    assert_eq!(words(&all), "aes-256/sha1/group 31/pre-share");
    assert_eq!(words(&[0x80, 1, 0, 99]), "encryption 99/no hash/no group/no authentication");
    assert_eq!(words(&[0x80, 1, 0, 7, 0x80, 14, 0, 64]), "encryption 7/no hash/no group/no authentication");
    assert_eq!(words(&[0x80, 1]), "a transform that cannot be read");
}

#[test]
fn the_peers_order_or_ours_decides() {
    let (weak, strong) = (
        policy(Cipher::Aes128, Hash::Sha1, Group::Modp2048),
        policy(Cipher::Aes256, Hash::Sha256, Group::Ecp256),
    );
    let body = offer(&[weak, strong]);
    let ours = [strong, weak];
    assert_eq!(chosen(&body, &ours, Preference::Peer), Some(weak.to_string()));
    assert_eq!(chosen(&body, &ours, Preference::Ours), Some(strong.to_string()));
    let proposals = decode(&body).unwrap();
    let usable = |policy: &Policy| policy.cipher == Cipher::Aes128;
    let only = choose_phase1(&proposals, &ours, Preference::Ours, usable).unwrap().1;
    assert_eq!((only.policy.cipher, only.transform.number), (Cipher::Aes128, 1));
    assert_eq!(chosen(&body, &[], Preference::Peer), None);
}

#[test]
fn a_life_of_kilobytes_does_not_pass_for_one_of_seconds() {
    let attributes = [
        0x80, 1, 0, 5, 0x80, 2, 0, 2, 0x80, 4, 0, 2, 0x80, 3, 0, 1, 0x80, 11, 0, 2, 0x80, 12, 0, 9, 0x80, 11,
        0, 1, 0x80, 12, 0, 60,
    ];
    let Offered::Known(policy, life) = read_phase1(&Transform { number: 1, id: 1, attributes: &attributes })
    else {
        panic!()
    };
    assert_eq!((policy.lifetime.as_secs(), life.kilobytes), (60, Some(9)));
}

#[test]
fn the_smallest_change_is_the_one_with_the_fewest_and_safest_parts() {
    let ours = [policy(Cipher::Aes256, Hash::Sha256, Group::Modp2048)];
    let explain = |offered: &[Policy]| explain_phase1(&decode(&offer(offered)).unwrap(), &ours);
    let one = policy(Cipher::Aes256, Hash::Sha1, Group::Modp2048);
    let two = policy(Cipher::TripleDes, Hash::Sha1, Group::Modp2048);
    let weak = policy(Cipher::Aes256, Hash::Sha256, Group::Modp1024);
    assert_eq!(explain(&[two, one]).1.unwrap(), "hash = \"sha1\"");
    assert_eq!(explain(&[weak, one]).1.unwrap(), "hash = \"sha1\"", "rather than a legacy group");
    assert_eq!(explain(&[weak]).1.unwrap(), "group = 2, legacy = true");
    assert_eq!(explain(&[two]).1.unwrap(), "encryption = \"3des\", hash = \"sha1\", legacy = true");
    assert_eq!(explain(&[two]).0, ["3des/sha1/group 14/pre-share"]);
    let by_signature = Policy { authentication: Authentication::RsaSignature, ..ours[0] };
    assert_eq!(explain(&[by_signature]).1.unwrap(), "authentication = \"rsa-sig\"");
}

#[test]
fn every_set_in_every_encapsulation_is_read_as_itself() {
    let integrities: Vec<_> = Integrity::ALL.iter().copied().map(Some).chain([None]).collect();
    for (cipher, integrity) in EspCipher::ALL
        .iter()
        .flat_map(|cipher| integrities.iter().map(move |integrity| (*cipher, *integrity)))
    {
        let Some(suite) = EspSuite::new(cipher, integrity) else { continue };
        for mode in [Mode::Transport, Mode::Tunnel] {
            for encapsulation in [Encapsulation::Raw, Encapsulation::Udp, Encapsulation::UdpDraft] {
                let set = TransformSet { suite, mode };
                let sets = offer_phase2(&[set], encapsulation, Some(Group::Ecp384), 3600, Some(250_000));
                let body = encode_each(protocol::ESP, &[0, 0, 1, 0], &sets);
                let read = read_phase2(&decode(&body).unwrap()[0].transforms[0]).unwrap();
                let life = Life { seconds: Some(3600), kilobytes: Some(250_000) };
                assert_eq!(read, Phase2 { suite, mode, encapsulation, group: Some(20), life });
            }
        }
    }
}

#[test]
fn encapsulations_have_the_numbers_of_the_rfc_and_of_the_drafts() {
    let read = |mode: u16| {
        let attributes = [&[0x80, 4][..], &mode.to_be_bytes(), &[0x80, 5, 0, 2]].concat();
        read_phase2(&Transform { number: 1, id: 3, attributes: &attributes })
            .map(|one| (one.mode, one.encapsulation))
    };
    assert_eq!(read(1), Ok((Mode::Tunnel, Encapsulation::Raw)));
    assert_eq!(read(2), Ok((Mode::Transport, Encapsulation::Raw)));
    assert_eq!(read(3), Ok((Mode::Tunnel, Encapsulation::Udp)));
    assert_eq!(read(4), Ok((Mode::Transport, Encapsulation::Udp)));
    assert_eq!(read(61443), Ok((Mode::Tunnel, Encapsulation::UdpDraft)));
    assert_eq!(read(61444), Ok((Mode::Transport, Encapsulation::UdpDraft)));
    assert_eq!(read(5), Err("encapsulation mode 5".into()));
}

#[test]
fn esp_never_goes_without_integrity() {
    let read =
        |id, attributes: &[u8]| read_phase2(&Transform { number: 1, id, attributes }).map(|one| one.suite);
    assert_eq!(read(12, &[]), Err("aes-128 without integrity".into()));
    assert_eq!(read(12, &[0x80, 5, 0, 3]), Err("aes-128 with integrity algorithm 3".into()));
    assert_eq!(read(11, &[0x80, 5, 0, 2]), Err("ESP transform 11".into()), "NULL");
    assert_eq!(read(12, &[0x80, 6, 0, 64, 0x80, 5, 0, 2]), Err("ESP transform 12 with 64-bit key".into()));
    assert_eq!(read(20, &[0x80, 6, 1, 0, 0x80, 5, 0, 2]).unwrap().to_string(), "aes-256-gcm");
}

fn rules<'a>(sets: &'a [TransformSet], groups: &'a [Group]) -> Phase2Rules<'a> {
    Phase2Rules { sets, pfs: Pfs::WhenAsked, groups, in_udp: None }
}

#[test]
fn pfs_is_given_when_asked_for_or_insisted_on() {
    let sets = [set(EspCipher::Aes256, Some(Integrity::HmacSha1))];
    let body = |group| {
        let offers = offer_phase2(&sets, Encapsulation::Raw, group, 3600, None);
        encode_each(protocol::ESP, &[0, 0, 1, 0], &offers)
    };
    let verdict = |group, pfs, groups: &[Group]| {
        let body = body(group);
        let proposals = decode(&body).unwrap();
        let rules = Phase2Rules { pfs, ..rules(&sets, groups) };
        let words = explain_phase2(&proposals, &rules).remove(0);
        choose_phase2(&proposals, &rules).map(|_| ()).ok_or(words)
    };
    let groups = [Group::Modp2048, Group::Ecp256];
    assert_eq!(verdict(None, Pfs::WhenAsked, &groups), Ok(()));
    assert_eq!(verdict(Some(Group::Ecp256), Pfs::WhenAsked, &groups), Ok(()));
    let words = verdict(Some(Group::Modp1024), Pfs::WhenAsked, &groups).unwrap_err();
    assert_eq!(words, "aes-256/sha1 transport asks for PFS in a group that is not allowed");
    assert_eq!(verdict(Some(Group::Ecp256), Pfs::Required(Group::Ecp256), &[]), Ok(()));
    let words = verdict(Some(Group::Modp2048), Pfs::Required(Group::Ecp256), &groups).unwrap_err();
    assert_eq!(words, "aes-256/sha1 transport asks for PFS in another group than the required one");
    let words = verdict(None, Pfs::Required(Group::Ecp256), &groups).unwrap_err();
    assert_eq!(words, "aes-256/sha1 transport is without PFS, which is required");
}

#[test]
fn esp_travels_in_udp_behind_a_nat_and_only_there() {
    let sets = [set(EspCipher::Aes256, Some(Integrity::HmacSha1))];
    for encapsulation in [Encapsulation::Raw, Encapsulation::Udp, Encapsulation::UdpDraft] {
        let offers = offer_phase2(&sets, encapsulation, None, 3600, None);
        let body = encode_each(protocol::ESP, &[0, 0, 1, 0], &offers);
        let proposals = decode(&body).unwrap();
        let is_taken =
            |in_udp| choose_phase2(&proposals, &Phase2Rules { in_udp, ..rules(&sets, &[]) }).is_some();
        let is_udp = encapsulation != Encapsulation::Raw;
        assert_eq!((is_taken(Some(true)), is_taken(Some(false)), is_taken(None)), (is_udp, !is_udp, true));
    }
}

#[test]
fn proposals_of_one_number_belong_together_and_esp_with_ah_is_refused() {
    let sets = [set(EspCipher::Aes256, Some(Integrity::HmacSha1))];
    let offers = offer_phase2(&sets, Encapsulation::Raw, None, 3600, None);
    let esp = encode_each(protocol::ESP, &[0, 0, 1, 0], &offers);
    let mut ah = encode(2, &[0, 0, 1, 0], &[OwnTransform { id: 2, attributes: Vec::new() }]);
    ah[8] = 2;
    let both = [&ah, &esp[8..]].concat();
    let proposals = decode(&both).unwrap();
    assert_eq!(proposals.len(), 2);
    assert!(choose_phase2(&proposals, &rules(&sets, &[])).is_none());
    let words = explain_phase2(&proposals, &rules(&sets, &[]));
    assert_eq!(words, ["protocol 2", "aes-256/sha1 transport together with another protocol"]);
    let mut apart = both;
    let at = ah.len() + 4;
    apart[at] = 2;
    assert!(choose_phase2(&decode(&apart).unwrap(), &rules(&sets, &[])).is_some(), "of numbers of their own");
}

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn check(pickle: &[u8]) -> Result<(), DataOnly> {
    read::read(pickle).map(drop)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        (-1e300..1e300).prop_map(Value::Float),
        vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        ".{0,8}".prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key =
            prop_oneof![".{0,4}".prop_map(Value::String), any::<i64>().prop_map(Value::Integer),];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::List),
            vec((key, inner), 0..6).prop_map(Value::Dict),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back(value in value()) {
        let bytes = Pickle::to_bytes(&value).unwrap();
        prop_assert_eq!(Pickle::from_bytes::<Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn cut_or_changed_bytes_are_a_value_or_an_error(
        value in value(),
        cut in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = Pickle::to_bytes(&value).unwrap();
        let length = cut.index(bytes.len());
        prop_assert!(Pickle::from_bytes::<Value>(&bytes[..length]).is_err());
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let _ = Pickle::from_bytes::<Value>(&bytes);
        let _ = Pickle::from_bytes::<BTreeMap<String, Vec<f64>>>(&bytes);
    }

    #[test]
    fn any_bytes_at_all_are_a_value_or_an_error(
        bytes in vec(prop_oneof![
            // What operations there are, so that some sequences mean something.
            prop::sample::select(&b"\x80\x04(]})\x8faesut\x85\x86\x94q\x00h\x01.NK\x8c\x02\x8a"[..]),
            any::<u8>(),
        ], 0..80),
    ) {
        if Pickle::from_bytes::<Value>(&bytes).is_ok() {
            prop_assert_eq!(check(&bytes), Ok(()));
        }
    }
}

/// `pickle.dumps` of Python 3.13.
#[test]
fn what_would_be_constructed_is_refused_by_its_name() {
    // datetime.date(2020, 1, 2)
    let date = b"\x80\x04\x95 \x00\x00\x00\x00\x00\x00\x00\x8c\x08datetime\x94\x8c\x04date\x94\
                 \x93\x94C\x04\x07\xe4\x01\x02\x94\x85\x94R\x94.";
    let constructs = |name: &str| Err(DataOnly::Constructs { name: name.to_owned() });
    assert_eq!(check(date), constructs("datetime.date"));
    let system = b"cos\nsystem\n(X\x05\x00\x00\x00falsetR.";
    assert_eq!(check(system), constructs("os.system"));
    assert_eq!(check(b"(X\x05\x00\x00\x00falseios\nsystem\n."), constructs("os.system"));
    let names = |operation: &str| Err(DataOnly::Operation { operation: operation.to_owned() });
    for (pickle, operation) in [
        (&b"NN\x81."[..], "NEWOBJ"),
        (b"N)R.", "REDUCE"),
        (b"NNb.", "BUILD"),
        (b"(No.", "OBJ"),
        (b"P7\n.", "PERSID"),
        (b"NQ.", "BINPERSID"),
        (b"\x82\x01.", "EXT"),
        (b"NN\x93.", "STACK_GLOBAL"),
        (b"N2\x86.", "DUP"),
        (b"\xff.", "0xff"),
    ] {
        assert_eq!(check(pickle), names(operation));
    }
}

#[test]
fn shared_values_arrive_and_those_within_themselves_do_not() {
    // x = ["a"]; pickle.dumps([x, x], 4) and pickle.dumps((x, {"a": x}), 4)
    let shared: Vec<Vec<String>> =
        Pickle::from_bytes(b"\x80\x04]\x94(]\x94\x8c\x01a\x94ah\x01e.").unwrap();
    assert_eq!(shared, [["a"], ["a"]]);
    type Both = (Vec<String>, BTreeMap<String, Vec<String>>);
    let both: Both =
        Pickle::from_bytes(b"\x80\x04]\x94\x8c\x01a\x94a}\x94h\x01h\x00s\x86\x94.").unwrap();
    assert_eq!(both.1["a"], both.0);
    // x = []; x.append(x)
    assert_eq!(check(b"\x80\x04]\x94h\x00a."), Err(DataOnly::Recursive));
}

#[test]
fn a_small_pickle_does_not_become_large() {
    let too_large =
        |pickle: &[u8]| check(pickle) == Err(DataOnly::TooLarge { length: pickle.len() });
    // Each list holds the one before it ten times.
    let mut laughs = b"\x80\x04]\x94".to_vec();
    for level in 0..30 {
        laughs.extend(b"]\x94(");
        for _ in 0..10 {
            laughs.extend([b'h', level]);
        }
        laughs.push(b'e');
    }
    laughs.extend(b".");
    assert!(too_large(&laughs));
    // Deep lists.
    assert!(too_large(&[&b"]".repeat(1000)[..], &b"a".repeat(999), b"."].concat()));
    let deepest = |depth: usize| [&b"]".repeat(depth)[..], &b"a".repeat(depth - 1), b"."].concat();
    assert_eq!(check(&deepest(128)), Ok(()));
    assert!(Pickle::from_bytes::<Value>(&deepest(128)).is_ok());
    assert!(too_large(&deepest(129)));
    // A length that nobody sent.
    assert_eq!(check(b"B\xff\xff\xff\x7fab."), Err(DataOnly::Damaged { position: 5 }));
}

#[test]
fn types_of_ones_own_arrive() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Kind {
        Plain,
        Named { name: String },
        Pair(i8, u64),
        One(Option<f32>),
    }
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Job(Vec<Kind>, char, BTreeMap<i64, ()>);

    let named = Kind::Named { name: "ham".to_owned() };
    let kinds = vec![Kind::Plain, named, Kind::Pair(-1, 1 << 40), Kind::One(None)];
    let job = Job(kinds, 'ä', BTreeMap::from([(-3, ()), (i64::MIN, ())]));
    assert_eq!(Pickle::from_bytes::<Job>(&Pickle::to_bytes(&job).unwrap()).unwrap(), job);
}

#[test]
fn integers_have_a_sign_and_an_end() {
    for (pickle, integer) in [
        (&b"K\xff."[..], 255),
        (b"M\xff\xff.", 65_535),
        (b"J\xff\xff\xff\xff.", -1),
        (b"\x8a\x00.", 0),
        (b"\x8a\x01\x80.", -128),
        (b"\x8a\x02\x80\x00.", 128),
        (b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", i64::MAX),
        (b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\x00.", i64::MAX),
        (b"\x8b\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\xff.", i64::MIN),
    ] {
        assert_eq!(Pickle::from_bytes::<i64>(pickle).unwrap(), integer, "{pickle:?}");
    }
    for pickle in [
        &b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."[..],
        b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.",
        b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff.",
    ] {
        assert_eq!(check(pickle), Err(DataOnly::Integer));
    }
}

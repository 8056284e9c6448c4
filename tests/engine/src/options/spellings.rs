//! One array in each of the ways in which options can be given: as JSON, in dotted form, by the builder.

use proptest::{
    prelude::{BoxedStrategy, Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof},
    proptest,
};
use quorate_engine::quorum::options::{Overlap, QuorumOptions, ReadPattern};
use serde_json::{Map, Value, json};

/// The options of an array, whatever they are spelled in.
#[derive(Clone, Debug)]
struct Array {
    threshold: usize,
    children: Vec<Child>,
    fifo: bool,
    rewrite: bool,
    blkverify: bool,
    qemu: bool,
    read_only: Option<bool>,
}

#[derive(Clone, Debug)]
enum Child {
    /// A reference; the name is made of the place, as no node can be two children.
    Node,
    /// The definition of something else, with an option of its own.
    Other(String),
    Array(Array),
}

proptest! {
    #[test]
    fn every_spelling_comes_to_the_same(array in arrays()) {
        let json = QuorumOptions::from_json(&array.json("n")).expect("nothing is wrong with it");
        let text = array.dotted("n", "");
        let dotted = QuorumOptions::from_dotted(&text);
        let dotted = dotted.unwrap_or_else(|error| panic!("{text}: {error}"));
        let built = array.built().expect("nothing is wrong with it");
        let json = settled(&json.to_json());
        prop_assert_eq!(settled(&dotted.to_json()), json.clone(), "{}", text);
        prop_assert_eq!(settled(&built.to_json()), json);
    }

    #[test]
    fn whatever_is_given_comes_back(array in arrays()) {
        let json = array.json("n");
        let options = QuorumOptions::from_json(&json).expect("nothing is wrong with it");
        let back = options.to_json();
        for (key, value) in json.as_object().expect("an object").iter().filter(|(k, _)| *k != "children") {
            prop_assert_eq!(back.get(key), Some(value), "{}", key);
        }
        prop_assert_eq!(options.vote_threshold(), array.threshold);
        prop_assert_eq!(options.children().len(), array.children.len());
        prop_assert_eq!(options.read_pattern() == ReadPattern::Fifo, array.fifo);
        prop_assert_eq!(options.rewrite_corrupted(), array.rewrite);
        prop_assert_eq!(options.blkverify(), array.blkverify);
        prop_assert_eq!(options.overlap() == Overlap::Qemu, array.qemu);
        prop_assert_eq!(options.read_only(), array.read_only == Some(true));
    }

    /// A value of a type that no option has is refused with the path that leads to it.
    #[test]
    fn an_error_names_the_place(array in arrays(), at in any::<prop::sample::Index>()) {
        let mut json = array.json("n");
        let mut paths = Vec::new();
        places(&json, "", "", &mut paths);
        let (pointer, path) = at.get(&paths);
        *json.pointer_mut(pointer).expect("the path was found there") = Value::Null;
        let error = QuorumOptions::from_json(&json).expect_err("no option is null").to_string();
        prop_assert!(error.contains(&format!("'{path}'")), "{path}: {error}");
    }

    /// An option too many is refused by its name, one that must be there by its path.
    #[test]
    fn what_is_missing_or_unknown_is_named(array in arrays(), name in "zz[a-z]{0,5}") {
        let json = array.json("n");
        let mut more = json.clone();
        more[&name] = json!(1);
        let error = QuorumOptions::from_json(&more).expect_err("nobody knows it").to_string();
        prop_assert_eq!(error, format!("Parameter '{name}' is unexpected"));
        let text = format!("{},{name}=1", array.dotted("n", ""));
        let error = QuorumOptions::from_dotted(&text).expect_err("nobody knows it").to_string();
        prop_assert!(error.ends_with(&format!("'{name}'")), "{error}");
        for key in ["children", "vote-threshold"] {
            let mut fewer = json.clone();
            fewer.as_object_mut().expect("an object").remove(key);
            let error = QuorumOptions::from_json(&fewer).expect_err("it must be there");
            prop_assert_eq!(error.to_string(), format!("Parameter '{key}' is missing"));
        }
    }
}

impl Array {
    fn json(&self, name: &str) -> Value {
        let children = self.children.iter().enumerate().map(|(at, child)| {
            let name = format!("{name}{at}");
            match child {
                Child::Node => Value::String(name),
                Child::Other(text) => json!({"driver": "other", "some": {"option": text}}),
                Child::Array(array) => array.json(&name),
            }
        });
        let mut json = json!({
            "driver": "quorum",
            "node-name": name,
            "vote-threshold": self.threshold,
            "children": children.collect::<Vec<_>>(),
            "read-pattern": if self.fifo { "fifo" } else { "quorum" },
            "rewrite-corrupted": self.rewrite,
            "blkverify": self.blkverify,
        });
        if self.qemu {
            json["overlap"] = "qemu".into();
        }
        if let Some(read_only) = self.read_only {
            json["read-only"] = read_only.into();
        }
        json
    }

    fn dotted(&self, name: &str, prefix: &str) -> String {
        let on = |flag| if flag { "on" } else { "off" };
        let pattern = if self.fifo { "fifo" } else { "quorum" };
        let mut text = format!(
            "{prefix}driver=quorum,{prefix}node-name={name},{prefix}vote-threshold={},\
             {prefix}read-pattern={pattern},{prefix}rewrite-corrupted={},{prefix}blkverify={}",
            self.threshold,
            on(self.rewrite),
            on(self.blkverify),
        );
        if self.qemu {
            text += &format!(",{prefix}overlap=qemu");
        }
        if let Some(read_only) = self.read_only {
            text += &format!(",{prefix}read-only={}", on(read_only));
        }
        for (at, child) in self.children.iter().enumerate() {
            let (name, prefix) = (format!("{name}{at}"), format!("{prefix}children.{at}"));
            text += &match child {
                Child::Node => format!(",{prefix}={name}"),
                Child::Other(option) => {
                    let option = option.replace(',', ",,");
                    format!(",{prefix}.driver=other,{prefix}.some.option={option}")
                }
                Child::Array(array) => format!(",{}", array.dotted(&name, &format!("{prefix}."))),
            };
        }
        text
    }

    fn built(&self) -> Result<QuorumOptions, quorate_engine::quorum::options::OptionsError> {
        let overlap = if self.qemu { Overlap::Qemu } else { Overlap::Serialise };
        let pattern = if self.fifo { ReadPattern::Fifo } else { ReadPattern::Quorum };
        let mut builder = QuorumOptions::builder("n", self.threshold)
            .read_pattern(pattern)
            .rewrite_corrupted(self.rewrite)
            .blkverify(self.blkverify)
            .overlap(overlap);
        if let Some(read_only) = self.read_only {
            builder = builder.read_only(read_only);
        }
        let json = self.json("n");
        for child in json["children"].as_array().expect("a list") {
            builder = match child {
                Value::String(name) => builder.node(name.as_str()),
                Value::Object(definition) => builder.definition(definition.clone()),
                other => panic!("{other} is no child"),
            };
        }
        builder.build()
    }
}

/// A node with all that its arrays hand on to their children: the dotted form comes to that at once.
fn settled(node: &Value) -> Value {
    if node["driver"] != "quorum" {
        return node.clone();
    }
    let mut settled = QuorumOptions::from_json(node).expect("it was taken before").to_json();
    for child in settled["children"].as_array_mut().expect("a list") {
        *child = self::settled(child);
    }
    settled
}

/// Every value whose type an array checks: its JSON pointer, and the path that QEMU has for it.
fn places(json: &Value, pointer: &str, path: &str, into: &mut Vec<(String, String)>) {
    let object: &Map<String, Value> = json.as_object().expect("a node is an object");
    let is_array = object["driver"] == "quorum";
    for (key, value) in object.iter().filter(|(key, _)| is_array || *key == "driver") {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let pointer = format!("{pointer}/{key}");
        if key == "children" {
            for (at, child) in value.as_array().expect("a list").iter().enumerate() {
                let pointer = format!("{pointer}/{at}");
                if child.is_object() {
                    places(child, &pointer, &format!("{full}[{at}]"), into);
                }
                // As QEMU, which knows no name for the member of a list.
                into.push((pointer, "null".into()));
            }
        }
        into.push((pointer, full));
    }
}

fn arrays() -> impl Strategy<Value = Array> {
    let leaf = prop_oneof![
        3 => Just(Child::Node),
        1 => "[a-z0-9,=.é ]{0,6}".prop_map(Child::Other),
    ];
    let child = leaf.prop_recursive(2, 10, 4, |inner| array(inner).prop_map(Child::Array).boxed());
    array(child.boxed())
}

fn array(child: BoxedStrategy<Child>) -> impl Strategy<Value = Array> {
    let children = prop::collection::vec(child, 1..5);
    (children, any::<usize>(), any::<[bool; 4]>(), any::<Option<bool>>()).prop_map(
        |(children, threshold, [fifo, rewrite, blkverify, qemu], read_only)| {
            let threshold = threshold % children.len() + 1;
            let is_pair = children.len() == 2 && threshold == 2;
            let blkverify = blkverify && is_pair && !fifo;
            let rewrite = rewrite && !fifo && !blkverify;
            // The builder has a switch only.
            let read_only = read_only.filter(|read_only| *read_only);
            Array { threshold, children, fifo, rewrite, blkverify, qemu, read_only }
        },
    )
}

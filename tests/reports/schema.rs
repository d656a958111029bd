//! The part of JSON Schema that `docs/report.schema.json` uses. A word that is not known here is
//! an error, so that nothing in the schema is there for nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A schema, and which of its properties and words were seen in what it was held against.
pub(crate) struct Schema {
    root: Value,
    seen: BTreeSet<String>,
}

/// Words that say nothing about what fits.
const SILENT: &[&str] = &["$schema", "$defs", "title", "description"];

impl Schema {
    pub(crate) fn read(text: &str) -> Self {
        Self { root: serde_json::from_str(text).unwrap(), seen: BTreeSet::new() }
    }

    /// What of the value does not fit: a line for each place.
    pub(crate) fn misfits(&mut self, value: &Value) -> Vec<String> {
        let mut misfits = Vec::new();
        let root = self.root.clone();
        self.fit(&root, "#", value, "report", &mut misfits);
        misfits
    }

    /// The properties and the words of lists of words that no value had yet.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let mut all = BTreeSet::new();
        collect(&self.root, "#", &mut all);
        all.difference(&self.seen).cloned().collect()
    }

    fn fit(&mut self, schema: &Value, at: &str, value: &Value, path: &str, out: &mut Vec<String>) {
        let schema = schema.as_object().unwrap_or_else(|| panic!("{at} is no schema"));
        for (word, what) in schema {
            let here = format!("{at}/{word}");
            let fits = match word.as_str() {
                "$ref" => {
                    let to = what.as_str().unwrap();
                    let pointer = to.strip_prefix('#').unwrap();
                    let target = self.root.pointer(pointer).unwrap().clone();
                    self.fit(&target, to, value, path, out);
                    true
                }
                "type" => is_of_type(what, value),
                "const" => what == value,
                "enum" => {
                    self.seen.insert(format!("{here}: {value}"));
                    what.as_array().unwrap().contains(value)
                }
                "pattern" => value.as_str().is_none_or(|text| matches(what, text)),
                "minimum" => value.as_u64().is_none_or(|number| number >= what.as_u64().unwrap()),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.fit(what, &here, item, &format!("{path}[{index}]"), out);
                    }
                    true
                }
                "anyOf" => self.any_of(what.as_array().unwrap(), &here, value, path),
                "properties" => {
                    self.properties(what.as_object().unwrap(), &here, value, path, out);
                    true
                }
                "additionalProperties" => {
                    self.others(schema, what, &here, value, path, out);
                    true
                }
                "propertyNames" => {
                    let names = value.as_object().into_iter().flatten().map(|(name, _)| name);
                    names.for_each(|name| {
                        self.fit(what, &here, &Value::from(name.as_str()), path, out);
                    });
                    true
                }
                "required" => what.as_array().unwrap().iter().all(|name| {
                    value.as_object().is_none_or(|it| it.contains_key(name.as_str().unwrap()))
                }),
                silent if SILENT.contains(&silent) => true,
                unknown => panic!("{at}: the word '{unknown}' is not known here"),
            };
            if !fits {
                out.push(format!("{path}: {value} does not fit {here} {what}"));
            }
        }
    }

    fn any_of(&mut self, schemas: &[Value], at: &str, value: &Value, path: &str) -> bool {
        schemas.iter().enumerate().any(|(index, schema)| {
            let mut misfits = Vec::new();
            self.fit(schema, &format!("{at}/{index}"), value, path, &mut misfits);
            misfits.is_empty()
        })
    }

    fn properties(
        &mut self,
        schemas: &Map<String, Value>,
        at: &str,
        value: &Value,
        path: &str,
        out: &mut Vec<String>,
    ) {
        for (name, schema) in schemas {
            if let Some(value) = value.get(name) {
                let here = format!("{at}/{name}");
                self.seen.insert(here.clone());
                self.fit(schema, &here, value, &format!("{path}.{name}"), out);
            }
        }
    }

    /// The properties that the schema does not name.
    fn others(
        &mut self,
        schema: &Map<String, Value>,
        what: &Value,
        at: &str,
        value: &Value,
        path: &str,
        out: &mut Vec<String>,
    ) {
        let none = Map::new();
        let named = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let properties = value.as_object().into_iter().flatten();
        for (name, value) in properties.filter(|(name, _)| !named.contains_key(*name)) {
            match what {
                Value::Bool(false) => out.push(format!("{path}.{name} is in no schema ({at})")),
                what => self.fit(what, at, value, &format!("{path}.{name}"), out),
            }
        }
    }
}

fn is_of_type(what: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        unknown => panic!("the type '{unknown}' is not known here"),
    };
    match what {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    }
}

/// Patterns by the crate that proptest brings along would be another engine than that of users.
fn matches(pattern: &Value, text: &str) -> bool {
    let pattern = regex_lite::Regex::new(pattern.as_str().unwrap()).unwrap();
    pattern.is_match(text)
}

fn collect(schema: &Value, at: &str, out: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for (word, what) in object {
                let here = format!("{at}/{word}");
                match (word.as_str(), what) {
                    ("properties", Value::Object(properties)) => {
                        for (name, schema) in properties {
                            let here = format!("{here}/{name}");
                            out.insert(here.clone());
                            collect(schema, &here, out);
                        }
                    }
                    ("enum", Value::Array(words)) => {
                        out.extend(words.iter().map(|word| format!("{here}: {word}")));
                    }
                    _ => collect(what, &here, out),
                }
            }
        }
        Value::Array(schemas) => {
            for (index, schema) in schemas.iter().enumerate() {
                collect(schema, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

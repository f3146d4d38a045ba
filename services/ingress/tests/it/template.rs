//! The few forms of Go's templates that the files for the chart use.

use serde_json::Value;

/// What Helm's `tpl` makes of `text` with `values` as its dot.
pub(crate) fn run(text: &str, values: &Value) -> String {
    let body = match text.strip_prefix("{{- /*") {
        Some(commented) => commented.split_once("*/ -}}\n").expect("the head ends").1,
        None => text,
    };
    let mut lines = body.lines();
    let mut out = String::new();
    block(&mut lines, values, values, true, &mut out);
    assert_eq!(lines.next(), None, "more `end` than beginnings");
    out
}

/// Writes lines up to the `end` of the block, or to the last. `dot` is what `.` alone means.
fn block<'a>(
    lines: &mut (impl Iterator<Item = &'a str> + Clone),
    root: &Value,
    dot: &Value,
    on: bool,
    out: &mut String,
) {
    while let Some(line) = lines.next() {
        let Some(action) = line.strip_prefix("{{- ").and_then(|rest| rest.strip_suffix(" }}")) else {
            if on {
                out.push_str(&expand(line, root, dot));
                out.push('\n');
            }
            continue;
        };
        match action.split_once(' ') {
            None if action == "end" => return,
            Some(("if", condition)) => {
                let names = condition.strip_prefix("or ").unwrap_or(condition);
                let holds = names.split(' ').any(|name| is_true(find(name, root, dot)));
                block(lines, root, dot, on && holds, out);
            }
            Some(("range", list)) => {
                let start = lines.clone();
                // Once without effect, to find the end.
                block(lines, root, dot, false, out);
                for element in find(list, root, dot).as_array().into_iter().flatten().filter(|_| on) {
                    block(&mut start.clone(), root, element, true, out);
                }
            }
            _ => panic!("unknown action `{action}`"),
        }
    }
}

fn expand(line: &str, root: &Value, dot: &Value) -> String {
    let Some((before, rest)) = line.split_once("{{ ") else { return line.to_owned() };
    let (expression, after) = rest.split_once(" }}").expect("an expression ends on its line");
    let (name, how) = expression.split_once(" | ").expect("an expression says how it is written");
    let value = find(name, root, dot);
    let text = match how {
        "int64" => value.as_u64().unwrap_or_else(|| panic!("{name} is no number: {value}")).to_string(),
        "toJson" => value.to_string(),
        _ => panic!("unknown function `{how}`"),
    };
    assert!(!value.is_null(), "{name} is missing");
    before.to_owned() + &text + &expand(after, root, dot)
}

fn find<'a>(name: &str, root: &'a Value, dot: &'a Value) -> &'a Value {
    if name == "." {
        return dot;
    }
    let steps = name.strip_prefix('.').unwrap_or_else(|| panic!("`{name}` is no variable")).split('.');
    steps.fold(root, |value, step| &value[step])
}

/// As Go's templates have it.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(value) => value.as_f64() != Some(0.0),
        Value::String(value) => !value.is_empty(),
        Value::Array(value) => !value.is_empty(),
        Value::Object(value) => !value.is_empty(),
    }
}

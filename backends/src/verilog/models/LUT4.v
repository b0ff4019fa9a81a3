module LUT4 #(
  parameter [15:0] INIT = 16'h0
) (
  output wire O,
  input wire I0,
  input wire I1,
  input wire I2,
  input wire I3
);
  wire [15:0] init = INIT;
  assign O = init[{I3, I2, I1, I0}];
endmodule

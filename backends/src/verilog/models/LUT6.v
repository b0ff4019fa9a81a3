module LUT6 #(
  parameter [63:0] INIT = 64'h0
) (
  output wire O,
  input wire I0,
  input wire I1,
  input wire I2,
  input wire I3,
  input wire I4,
  input wire I5
);
  wire [63:0] init = INIT;
  assign O = init[{I5, I4, I3, I2, I1, I0}];
endmodule

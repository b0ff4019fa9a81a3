module LUT5 #(
  parameter [31:0] INIT = 32'h0
) (
  output wire O,
  input wire I0,
  input wire I1,
  input wire I2,
  input wire I3,
  input wire I4
);
  wire [31:0] init = INIT;
  assign O = init[{I4, I3, I2, I1, I0}];
endmodule

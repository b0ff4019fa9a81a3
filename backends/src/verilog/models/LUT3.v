module LUT3 #(
  parameter [7:0] INIT = 8'h0
) (
  output wire O,
  input wire I0,
  input wire I1,
  input wire I2
);
  wire [7:0] init = INIT;
  assign O = init[{I2, I1, I0}];
endmodule


  integer file;
  integer fields;
  integer limit;
  integer sent;
  integer checked;
  integer wrong;
  reg more;
  reg broken;
  reg [8191:0] path;

  // Puts the next sample on the inputs, if there is one.
  task feed;
    begin
      if (limit >= 0 && sent >= limit)
        more = 0;
      else if (file != 0) begin
        fields = $fscanf(file, "%h %h", next, expected);
        if (fields != 2) more = 0;
        // Behind the last line some simulators read nothing before they notice the end.
        if (fields == 1 || (fields == 0 && !$feof(file))) broken = 1;
      end else if (sent < EMBEDDED) begin
        next = inputs[sent];
        expected = outputs[sent];
      end else
        more = 0;
      if (more) begin
        in = next;
        pending[sent % (LATENCY + 1)] = expected;
        sent = sent + 1;
      end
    end
  endtask

  // Compares the outputs with what the oldest sample under way should give.
  task check;
    begin
      expected = pending[checked % (LATENCY + 1)];
      if (out !== expected) begin
        wrong = wrong + 1;
        if (wrong <= MAX_MISMATCHES) describe;
      end
      checked = checked + 1;
    end
  endtask

  integer cycle;
  initial begin
    clock = 0;
    in = 0;
    file = 0;
    limit = -1;
    sent = 0;
    checked = 0;
    wrong = 0;
    more = 1;
    broken = 0;
    embed;
    if ($value$plusargs("vectors=%s", path)) begin
      file = $fopen(path, "r");
      if (file == 0) begin
        more = 0;
        broken = 1;
      end
    end
    if ($value$plusargs("count=%d", limit)) begin end
RESET
    for (cycle = 0; more || checked < sent; cycle = cycle + 1) begin
      if (more && cycle % INTERVAL == 0) feed;
DRIVE
      #5;
      if (cycle >= LATENCY && (cycle - LATENCY) % INTERVAL == 0 && checked < sent) check;
HANDSHAKE
      clock = 1;
      #5;
      clock = 0;
    end
    if (broken)
      $display("FAIL the file of vectors cannot be read beyond %0d vectors", checked);
    else if (wrong != 0)
      $display("FAIL %0d of %0d vectors", wrong, checked);
    else if (checked == 0 || (limit >= 0 && checked != limit))
      $display("FAIL only %0d vectors", checked);
    else
      $display("PASS %0d vectors", checked);
    $finish;
  end
endmodule

/// The results as one HTML file that needs nothing else.
struct Report {
  let results: Results

  var html: String {
    let machine = results.machine
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width"/>
      <title>Ringlet: benchmarks</title>
      <style>
      body { font: 15px/1.5 system-ui, sans-serif; color: #212529; max-width: 60em; margin: 2em auto; padding: 0 1em; }
      h1, h2, h3 { line-height: 1.2; }
      h3 { margin: 2em 0 0.3em; }
      p { margin: 0.3em 0; color: #495057; }
      table { border-collapse: collapse; margin: 0.6em 0; font-variant-numeric: tabular-nums; }
      th, td { padding: 0.15em 0.9em; border-bottom: 1px solid #dee2e6; text-align: right; }
      th:first-child, td:first-child { text-align: left; padding-left: 0; }
      svg { max-width: 100%; height: auto; }
      .warning { color: #c92a2a; }
      </style>
      </head>
      <body>
      <h1>Ringlet: benchmarks</h1>
      <p>Figures are ratios within one run on one machine; times and rates are that machine's. \
      Benchmarks/README.md says how they come about and what they mean.</p>
      \((results.warnings).map { "<p class=\"warning\">\(escaped($0))</p>" }.joined(separator: "\n"))
      \(Table(title: "Machine", header: ["", ""], rows: machine.rows).html)
      \(Table(
        title: "Measured", header: ["server", "version"], rows: results.versions.map { [$0.server, $0.version] }).html)
      \(results.absent.map { "<p>Not measured: \(escaped($0))</p>" }.joined(separator: "\n"))
      \(plots.joined(separator: "\n"))
      \(results.tables.map(\.html).joined(separator: "\n"))
      </body>
      </html>

      """
  }

  /// The picture for the top README.
  var bars: String { BarChart(workloads: results.workloads, machine: results.machine).svg }

  private var plots: [String] {
    var plots = results.workloads.isEmpty ? [] : [bars]
    if let latency = results.latency {
      plots += [
        LineChart(title: "Cached answers, open loop: median latency against rate", curve: latency) { $0.p50 },
        LineChart(title: "Cached answers, open loop: p99 against rate", curve: latency) { $0.p99 },
        LineChart(title: "Cached answers, open loop: p99.9 against rate", curve: latency) { $0.p999 },
      ].map(\.svg)
    }
    return plots
  }
}

extension Machine {
  fileprivate var rows: [[String]] {
    [
      ["processor and memory", hardware],
      ["system", "\(system), kernel \(kernel)"], ["revision", revision], ["date", date], ["command", command],
    ]
  }
}

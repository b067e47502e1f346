import Foundation

/// What one benchmark showed, per operation; as in `--json`.
struct Figures: Encodable {
  let name: String
  /// Nanoseconds: the best repetition, and the one in the middle.
  let ns: Double
  let nsMedian: Double
  let instructions: Double?
  let mallocs: Double
  let thresholdInstructions: Double?
  let thresholdMallocs: Double?
  /// There are thresholds, but none for this.
  let lacksThreshold: Bool

  enum CodingKeys: String, CodingKey {
    case name, ns, instructions, mallocs, ok
    case nsMedian = "ns_median"
    case thresholdInstructions = "threshold_instructions"
    case thresholdMallocs = "threshold_mallocs"
  }

  var hasTooManyInstructions: Bool { (instructions ?? 0) > (thresholdInstructions ?? .infinity) }
  var hasTooManyMallocs: Bool { mallocs > (thresholdMallocs ?? .infinity) }
  var ok: Bool { !lacksThreshold && !hasTooManyInstructions && !hasTooManyMallocs }

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(name, forKey: .name)
    try object.encode(ns, forKey: .ns)
    try object.encode(nsMedian, forKey: .nsMedian)
    try object.encode(instructions, forKey: .instructions)
    try object.encode(mallocs, forKey: .mallocs)
    try object.encode(thresholdInstructions, forKey: .thresholdInstructions)
    try object.encode(thresholdMallocs, forKey: .thresholdMallocs)
    try object.encode(ok, forKey: .ok)
  }
}

extension Double {
  /// With one decimal.
  var short: String { String(format: "%.1f", self) }
}

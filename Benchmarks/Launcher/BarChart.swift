/// CPU per answer as multiples of the floor: a panel for each workload, a bar for each server. A bar three times as
/// long as the one in the middle ends there, in a point: one server must not make those of all others too short to see.
struct BarChart {
  let workloads: [WorkloadCost]
  let machine: Machine

  var svg: String {
    let (panelWidth, bar, labels, values) = (430.0, 20.0, 110.0, 50.0)
    let rows = workloads.map(\.rows.count).max() ?? 0
    let panelHeight = 34 + Double(rows) * bar
    let lines = (workloads.count + 1) / 2
    var drawing = Drawing(
      width: 2 * panelWidth, height: 44 + Double(lines) * panelHeight + 36)
    drawing.text("CPU per answer, as a multiple of a responder that does no DNS work", 12, 24, isBold: true)
    for (index, workload) in workloads.enumerated() {
      let x = Double(index % 2) * panelWidth + 12
      let y = 44 + Double(index / 2) * panelHeight
      drawing.text(workload.workload.title, x, y + 12, color: "#495057", isBold: true)
      let ratios = workload.rows.map(\.ratio)
      let largest = min(ratios.max() ?? 1, 3 * median(ratios))
      for (row, cost) in workload.rows.enumerated() {
        let top = y + 20 + Double(row) * bar
        let width = max(1, (panelWidth - labels - values - 24) * min(1, cost.ratio / largest))
        drawing.text(
          cost.server, x + labels - 8, top + 14, anchor: "end", isBold: cost.server == "ringlet")
        drawing.rectangle(x + labels, top + 3, width, bar - 6, Palette.color(cost.server))
        if cost.ratio > largest { drawing.point(x + labels + width, top + 3, bar - 6, Palette.color(cost.server)) }
        drawing.text(fixed(cost.ratio, 2), x + labels + width + 8, top + 14)
      }
    }
    drawing.text(machine.hardware, 12, drawing.height - 26, color: "#868e96")
    drawing.text(machine.software, 12, drawing.height - 10, color: "#868e96")
    return drawing.svg
  }
}

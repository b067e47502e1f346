/// CPU per answer as multiples of the floor: a panel for each workload, a bar for each server.
struct BarChart {
  let workloads: [WorkloadCost]
  let caption: String

  var svg: String {
    let (panelWidth, bar, labels, values) = (430.0, 20.0, 110.0, 50.0)
    let rows = workloads.map(\.rows.count).max() ?? 0
    let panelHeight = 34 + Double(rows) * bar
    let lines = (workloads.count + 1) / 2
    var drawing = Drawing(
      width: workloads.count > 1 ? 2 * panelWidth : panelWidth, height: 44 + Double(lines) * panelHeight + 20)
    drawing.text("CPU per answer, as a multiple of a responder that does no DNS work", 12, 24, isBold: true)
    for (index, workload) in workloads.enumerated() {
      let x = Double(index % 2) * panelWidth + 12
      let y = 44 + Double(index / 2) * panelHeight
      drawing.text(workload.workload.title, x, y + 12, color: "#495057", isBold: true)
      let largest = workload.rows.map(\.ratio).max() ?? 1
      for (row, cost) in workload.rows.enumerated() {
        let top = y + 20 + Double(row) * bar
        let width = max(1, (panelWidth - labels - values - 24) * cost.ratio / largest)
        drawing.text(
          cost.server, x + labels - 8, top + 14, anchor: "end", isBold: cost.server == "ringlet")
        drawing.rectangle(x + labels, top + 3, width, bar - 6, Palette.color(cost.server))
        drawing.text(fixed(cost.ratio, 2), x + labels + width + 6, top + 14)
      }
    }
    drawing.text(caption, 12, drawing.height - 10, color: "#868e96")
    return drawing.svg
  }
}

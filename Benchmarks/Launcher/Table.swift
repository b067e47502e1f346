/// A table for the terminal and for the report: the first column is text, the others are numbers.
struct Table {
  let title: String
  /// What the numbers are.
  var note = ""
  let header: [String]
  let rows: [[String]]

  var text: String {
    let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max()! }
    let lines = ([header] + rows).map { row in
      var line = ""
      for (index, cell) in row.enumerated() {
        let space = String(repeating: " ", count: widths[index] - cell.count)
        line += index == 0 ? cell + space : "  " + space + cell
      }
      return "  " + line
    }
    return ([title] + (note.isEmpty ? [] : ["  \(note)"]) + lines).joined(separator: "\n")
  }

  var html: String {
    func row(_ cells: [String], _ tag: String) -> String {
      "<tr>" + cells.map { "<\(tag)>\(escaped($0))</\(tag)>" }.joined() + "</tr>"
    }
    return """
      <h3>\(escaped(title))</h3>
      \(note.isEmpty ? "" : "<p>\(escaped(note))</p>")
      <table>
      <thead>\(row(header, "th"))</thead>
      <tbody>\(rows.map { row($0, "td") }.joined(separator: "\n"))</tbody>
      </table>
      """
  }
}

/// Text as it may stand in HTML and SVG.
func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
}

import ArgumentParser
import Corefile

/// `ringlet explain`: which block, directive and upstream serve a name.
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ringlet explain", abstract: "Say which block, directive and upstream of a Corefile serve a name.")

  @Argument(help: "Name that is asked for.")
  var name: String
  @Argument(help: "Type that is asked for.")
  var type = "A"
  @OptionGroup var options: CorefileOptions

  func run() throws {
    guard let question = ZoneName(name) else {
      throw Flags.Refusal(message: "\"\(name)\" is no domain name", status: 2)
    }
    guard let type = RecordType(name: type) else {
      throw Flags.Refusal(message: "\"\(type)\" is no record type; expected one such as A, AAAA, SRV or PTR", status: 2)
    }
    let configuration = try options.configuration(try options.source(nil))
    print(Explanation(question, type, in: configuration).text, terminator: "")
  }
}

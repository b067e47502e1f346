import ArgumentParser

/// `ringlet check` and `ringlet explain`: what a Corefile means, without serving it. Everything else on a command line
/// is node-cache's and belongs to `Flags`.
public enum Inspection {
  /// Runs the command that the first word names, if it names one: true then, with what it found on standard output.
  public static func run(_ arguments: [String]) throws(Flags.Refusal) -> Bool {
    switch arguments.first {
    case "check": try run(CheckCommand.self, arguments.dropFirst())
    case "explain": try run(ExplainCommand.self, arguments.dropFirst())
    default: return false
    }
    return true
  }

  private static func run<Command: ParsableCommand>(
    _ type: Command.Type, _ words: ArraySlice<String>
  ) throws(Flags.Refusal) {
    do {
      var command = try type.parse(Array(words))
      try command.run()
    } catch let refusal as Flags.Refusal {
      throw refusal
    } catch {
      let message = type.fullMessage(for: error, columns: 120)
      guard type.exitCode(for: error) == .success else { throw Flags.Refusal(message: message, status: 2) }
      print(message)
    }
  }
}

import Corefile

/// A Corefile, which may import itself and read one variable.
func fuzzCorefile(_ input: [UInt8]) {
  let text = String(decoding: input, as: UTF8.self)
  parse(input, Environment(variables: ["X": "y"], files: ["Corefile": text, "a.conf": text]))
}

/// A resolv.conf that `forward` names.
func fuzzResolvConf(_ input: [UInt8]) {
  let files = ["/etc/resolv.conf": String(decoding: input, as: UTF8.self)]
  parse(Array(". {\nforward . /etc/resolv.conf\n}\n".utf8), Environment(files: files))
}

private func parse(_ text: [UInt8], _ environment: Environment) {
  do {
    let configuration = try Corefile.parse(text, environment: environment)
    precondition(configuration.blocks.allSatisfy { !$0.keys.isEmpty })
  } catch {
    precondition(!error.description.isEmpty)
  }
}

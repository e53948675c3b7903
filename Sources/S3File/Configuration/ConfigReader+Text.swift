package import Configuration

extension ConfigReader {
    /// A setting as text, as a variable of the environment has it, in whatever type a source says it: a file's JSON may have a number, true or
    /// false, or a list for words by comma. Asked for text alone, such a setting would count as not set.
    ///
    /// - Returns: nil when it is not set, or empty.
    package func text(forKey key: ConfigKey, isSecret: Bool = false) -> String? {
        // One after the other: the sources are asked for one type at a time.
        let text: String?
        if let string = self.string(forKey: key, isSecret: isSecret) {
            text = string
        } else if let number = self.int(forKey: key, isSecret: isSecret) {
            text = "\(number)"
        } else if let number = self.double(forKey: key, isSecret: isSecret) {
            text = "\(number)"
        } else if let isTrue = self.bool(forKey: key, isSecret: isSecret) {
            text = "\(isTrue)"
        } else if let list = self.stringArray(forKey: key, isSecret: isSecret) {
            text = list.joined(separator: ",")
        } else {
            text = self.intArray(forKey: key, isSecret: isSecret)?.map { "\($0)" }.joined(separator: ",")
        }
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }
}

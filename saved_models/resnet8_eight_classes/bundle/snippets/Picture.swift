// From a picture of any size to the model's pixels, as kcnn reads photographs: the center with the
// proportions of the model's images, scaled by a triangle filter that averages all pixels (bilinear
// with antialiasing). What Core Graphics calls high quality is not defined, and need not be the same.

/// A picture as rows of four bytes for each pixel: red, green, blue and one that is not used.
struct Picture {
    static let height = 32, width = 32, channels = 3

    let width: Int, height: Int
    let pixels: [UInt8]

    /// Returns the model's pixels, raw bytes 0-255, row by row, red, green, blue.
    func modelPixels() -> [UInt8] {
        let scale = min(Float(height) / Float(Self.height), Float(width) / Float(Self.width))
        let top = (Float(height) - scale * Float(Self.height)) / 2
        let left = (Float(width) - scale * Float(Self.width)) / 2
        let columns = (0..<Self.width).map { Reach(output: $0, start: left, scale: scale, side: width) }
        var result: [UInt8] = []
        result.reserveCapacity(Self.height * Self.width * Self.channels)
        for y in 0..<Self.height {
            let rows = Reach(output: y, start: top, scale: scale, side: height)
            for column in columns {
                var red: Float = 0, green: Float = 0, blue: Float = 0, weights: Float = 0
                for i in rows.first..<rows.end {
                    let weight = rows.weight(i)
                    for j in column.first..<column.end {
                        let both = weight * column.weight(j), place = 4 * (i * width + j)
                        red += both * Float(pixels[place])
                        green += both * Float(pixels[place + 1])
                        blue += both * Float(pixels[place + 2])
                        weights += both
                    }
                }
                for sum in [red, green, blue] { result.append(UInt8(sum / weights + 0.5)) }
            }
        }
        return result
    }

    /// Which pixels of a side one output pixel averages, and with which weights.
    private struct Reach {
        let center: Float, reach: Float, first: Int, end: Int

        init(output: Int, start: Float, scale: Float, side: Int) {
            center = start + (Float(output) + 0.5) * scale
            reach = max(scale, 1)
            first = max(0, Int(center - reach + 0.5))
            end = min(side, Int(center + reach + 0.5))
        }

        func weight(_ pixel: Int) -> Float { max(0, 1 - abs(Float(pixel) + 0.5 - center) / reach) }
    }
}

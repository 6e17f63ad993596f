//! Links as QR codes (ISO/IEC 18004), in SVG and PNG.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode};

use super::Problem;
use crate::base::Secret;

/// Points of a picture's side for each square: small enough for a screen, whole for a camera.
const SQUARE: usize = 8;

/// Light squares around it, which ISO/IEC 18004 asks for: without them cameras do not find it on a dark page.
const QUIET: usize = 4;

/// The picture as SVG, dark on light whatever the page's colours are.
pub fn svg(link: &Secret) -> Result<String, Problem> {
    let code = encoded(link)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(256, 256).quiet_zone(true).build())
}

/// The picture as PNG (RFC 2083): one bit a point, grey.
pub fn png(link: &Secret) -> Result<Vec<u8>, Problem> {
    let code = encoded(link)?;
    let width = code.width();
    let side = (width + 2 * QUIET) * SQUARE;
    let dark = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let (x, y) = ((x / SQUARE).checked_sub(QUIET), (y / SQUARE).checked_sub(QUIET));
        let at = x.zip(y).filter(|(x, y)| *x < width && *y < width).map(|(x, y)| y * width + x);
        at.and_then(|at| dark.get(at)).is_some_and(|color| *color == Color::Dark)
    };
    let mut rows = Vec::with_capacity(side * (side / 8 + 2));
    for y in 0..side {
        // Each line says first how it is filtered: not at all.
        rows.push(0);
        for x in (0..side).step_by(8) {
            let byte = (0..8).fold(0u8, |byte, bit| byte << 1 | u8::from(x + bit >= side || !is_dark(x + bit, y)));
            rows.push(byte);
        }
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    let packed = packed.write_all(&rows).and_then(|()| packed.finish()).map_err(|_| Problem::internal())?;
    let side = u32::try_from(side).map_err(|_| Problem::internal())?.to_be_bytes();
    // One bit deep, grey; the usual packing and filters; not interlaced.
    let head = [side.as_slice(), side.as_slice(), &[1, 0, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", head.as_slice()), (b"IDAT", &packed), (b"IEND", &[])] {
        let length = u32::try_from(data.len()).map_err(|_| Problem::internal())?;
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(data);
        file.extend([&length.to_be_bytes(), kind.as_slice(), data, &crc.sum().to_be_bytes()].concat());
    }
    Ok(file)
}

fn encoded(link: &Secret) -> Result<QrCode, Problem> {
    let code = QrCode::with_error_correction_level(link.expose().as_bytes(), EcLevel::M);
    code.map_err(|_| Problem::conflict("the link is too long for a picture: shorten `elevation.link_base`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_pictures_are_whole_and_dark_on_light() {
        let link = Secret::new("https://v.example.org/c/4xq8c1d2h5k7m9p0r3t6v8");
        let svg = svg(&link).unwrap();
        assert!(svg.contains("<svg") && svg.contains("#fff") && svg.contains("#000"));
        let png = png(&link).unwrap();
        assert_eq!(png.get(..8), Some(b"\x89PNG\r\n\x1a\n".as_slice()));
        assert!(png.ends_with(b"IEND\xae\x42\x60\x82"));
        assert!(png.len() < 4000, "{} bytes", png.len());
    }
}

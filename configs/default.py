"""Defines every field, at the paper's values, on the embedded data set.

  python main.py --config=configs/default.py

Section, equation and table numbers are those of "Anomaly Detection of GAN
Industrial Image Based on Attention Feature Fusion" (Sensors 2023, 23, 355).
If the paper gives no value, the comment names the source of the choice.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  """Returns the configuration that all others start from."""
  config = ConfigDict()

  config.method = 'afgan'  # Detection method; 'afgan' is the paper's.
  config.seed = 0  # Weights, augmentation, order of images, held-out images.
  config.image_size = 256  # Side in pixels, a power of two (§4.2).
  # Side of the tiles that the networks see, a power of two: in training one
  # random crop of each image, in scoring a grid of tiles that overlap by half.
  # Tiles smaller than the image show small defects at little cost.
  config.tile_size = config.get_oneway_ref('image_size')
  config.batch_size = 64  # Over all devices (§4.2).
  config.num_epochs = 400  # §4.2.
  # Training steps, overrides `num_epochs`; 0 for `num_epochs`. A small training
  # set then gets as many steps as a large one.
  config.num_steps = 0
  # Compute type of the networks in training, 'float32' or 'bfloat16'.
  # Parameters, statistics, losses and all of scoring are always float32.
  config.dtype = 'float32'

  config.data = _data()
  config.norm = _norm()
  config.generator = _generator(config.norm)
  config.discriminator = _discriminator(config.generator, config.norm)
  config.variation = _variation()
  config.augmentation = _augmentation()
  config.segmentation = _segmentation(config.generator)
  config.loss = _loss()
  config.optimizer = _optimizer()
  config.score = _score()
  config.calibration = ConfigDict()
  # Fraction of the good training images that is held out for calibration. The
  # paper holds out none: configs that reproduce it set 0. Of data sets with
  # good validation images those are held out instead, whatever the fraction.
  config.calibration.fraction = 0.1
  # Draws the held-out images; `seed` unless set. Runs of several seeds that are
  # to be one ensemble need the same.
  config.calibration.seed = config.get_oneway_ref('seed')
  # For cross-validation: the parts (`data.part`, else images) are divided into
  # so many folds by that seed, and one of them, counted from 0, is held out
  # in place of that fraction; 0 for none. A study sets both by `study.folds`.
  config.calibration.folds = 0
  config.calibration.fold = 0
  # Fraction of good images that the threshold may reject. It counts in training
  # and with --mode=calibrate, where --false_reject_rate goes before it.
  config.calibration.false_reject_rate = 0.01
  # How the threshold follows from held-out good images: 'conformal', a promise
  # for any distribution, which n images can give for rates from 1/(n + 1); or
  # 'tail', an exponential law for the highest scores, which can promise lower
  # rates if it holds (docs/operating_point.md).
  config.calibration.method = 'conformal'
  config.metrics = ConfigDict()
  # Pixels of the pixel metrics: 'network', those of the square that networks
  # see, or 'own', those of each image at its own size, to which maps are
  # restored, so that runs of other geometries can be compared.
  config.metrics.pixels = 'network'
  # Side in pixels of maps and masks for pixel metrics, so that runs of
  # different sizes can be compared; 0 for `image_size`.
  config.metrics.pixel_size = 0
  config.predict = ConfigDict()
  # Pictures that --mode=predict writes for each image, at its size: 'overlay',
  # 'map' (the anomaly map, float32) and 'mask' (the regions, 0 and 255); () for
  # none.
  config.predict.save = ('overlay',)
  # Format of 'overlay', 'jpeg' or 'png', or 'none' for no overlays.
  config.predict.overlay = 'jpeg'
  # A matplotlib colour map. 'inferno' is readable in grey and for colour-blind
  # people; 'jet' is the paper's, blue to red (Figure 8).
  config.predict.colormap = 'inferno'
  config.predict.map_format = 'tiff'  # Of 'map': 'tiff' or 'npy'.
  # Number of images with the highest scores on contact_sheet.png; 0 for none.
  config.predict.sheet = 0
  config.log = _log()
  config.checkpoint = _checkpoint()
  config.benchmark = _benchmark()
  return config


def _data() -> ConfigDict:
  data = ConfigDict()
  # 'procedural' (embedded), 'folder' (own images), 'mvtec_ad' (§4.1), 'visa',
  # 'btad', 'mpdd', 'mvtec_loco', 'mvtec_ad_2', or 'tfds' (a prepared TensorFlow
  # dataset); see docs/data_sets.md.
  data.source = 'procedural'
  # Folder of the images, or a table that lists them; of a public data set the
  # folder of its categories; for 'tfds' the folder of a builder, or its name;
  # 'procedural' needs none.
  data.path = ''
  # Of a public data set, e.g. of the fifteen of Table 1; for 'tfds' the
  # builder's config.
  data.category = ''
  # Input pipeline: 'device' (the training set is in device memory, augmentation
  # is part of the compiled step, one call runs several steps) or 'host'
  # (tf.data), for sets that do not fit into memory: files are decoded once to
  # the cache and read from there batch by batch (docs/performance.md).
  data.placement = 'device'
  # How an image becomes square: 'stretch' (§4.2, "resized"), 'pad' with its
  # edge pixels, 'object', for one object on a plain background: a window
  # around it, rotated so that its longest axis lies along the rows; or 'tiles',
  # for line scans and large images: squares of `image_size` that overlap by
  # half, as many as an image has. 'auto' chooses by the good images: 'tiles'
  # for a texture, 'object' for one part in many directions, else 'stretch'; the
  # run stores which, with its scale, window and template.
  data.geometry = 'stretch'
  # For 'tiles': pixels of the tiles for each pixel of the image, e.g. 0.5 to
  # halve it first.
  data.scale = 1.0
  # For 'tiles': at most so many are trained on, drawn from all images evenly.
  data.max_tiles = 10_000
  # Extent of that window across and along the axis, as fractions of the image's
  # longer side; it is mapped to the square.
  data.window = (1.0, 1.0)
  # Direction of an object without a long axis: samples of good images on rings
  # around it, which 'auto' writes; '' for the axis.
  data.template = ''
  # Region of interest: an image that is white where the others are inspected,
  # or a folder with such an image for each of them, of the same name and size.
  # What is outside counts neither in training, scores, maps nor metrics.
  data.roi = ''
  # A regular expression for file names, e.g. r'part(\d+)': images with the same
  # match show one part, and are held out together or not at all.
  data.part = ''
  # Test fraction of the good images if no folder or column defines a split.
  data.test_fraction = 0.2
  # Value of white in images of more than 8 bits, e.g. 4095 for a 12-bit camera;
  # 0 for that of the file, such as 65535 for 16 bits.
  data.white = 0.0
  # Larger images are not decoded: a small file may claim to be of any size.
  data.max_pixels = 178_956_970
  # Size limit of decoded images in the user's cache folder; 0 for no cache.
  # Placement 'host' needs 3 bytes a pixel of a good image there, and 6 more of
  # those that are held out; if they are not allowed, images are in memory.
  data.cache_gib = 4.0
  # Skip images that cannot be read, instead of stopping with an error.
  data.skip_unreadable = False
  # Normalise the mean and standard deviation of each image, so that scores do
  # not depend on the lighting.
  data.normalize_light = False
  # Normalise only the mean, by scaling, up to the point where more than 1% of
  # the pixels would be clipped.
  data.normalize_brightness = False
  data.procedural = ConfigDict()
  data.procedural.seed = 0  # Of the images; `config.seed` does not change them.
  # 'sprocket', parts of metal; 'fabric', woven cloth with faint flaws.
  data.procedural.kind = 'sprocket'
  data.procedural.num_train = 256
  data.procedural.num_test_good = 40
  data.procedural.num_test_per_defect = 12
  return data


def _generator(norm: ConfigDict) -> ConfigDict:
  generator = ConfigDict()
  # Features of the first level; they double at each level up to the maximum
  # (Skip-GANomaly's generator, to which §3.1.1 refers).
  generator.base_features = 64
  generator.max_features = 512
  # Skip connections of encoder and decoder: 'aff' (§3.1.3), 'concat' (the
  # "connection" of Table 4), 'none' (States 1 and 2 of Table 3).
  generator.fusion = 'aff'
  # Reduction r of the attention's bottleneck (§3.1.3); as Dai et al. 2021.
  generator.aff_reduction = 4
  # 'sigmoid': the gate is F' of eq 7, as in Dai et al. 2021. 'product': the
  # gate is F ⊗ F', eq 8 taken literally, which is unbounded.
  generator.aff_gate = 'sigmoid'
  # Factor on Z of eq 4; Dai et al.'s published code has 2.
  generator.aff_scale = 1.0
  # Input: 'image', as in the paper, or 'high_pass', the image in grey without
  # its low frequencies (FAIR, Liu et al. 2023), from which the whole image in
  # colour is reconstructed: what skip connections pass on then lacks light,
  # colour and most of a large defect.
  generator.input = 'image'
  # Of that Butterworth filter, in cycles per pixel; FAIR has 30 in 256 pixels.
  generator.cutoff = 30 / 256
  # Norms of the fusions; `norm.kind` unless set.
  generator.aff_norm = norm.get_oneway_ref('kind')
  return generator


def _discriminator(generator: ConfigDict, norm: ConfigDict) -> ConfigDict:
  discriminator = ConfigDict()
  # As in the generator unless set; DCGAN has 64 (§3.1.2).
  discriminator.base_features = generator.get_oneway_ref('base_features')
  discriminator.max_features = 512
  discriminator.latent_features = 100  # Length of f in eq 11 (Skip-GANomaly).
  discriminator.norm = norm.get_oneway_ref('kind')
  # Reinitialise it, with its optimizer, if its total loss falls below this; 0
  # for never. Skip-GANomaly's published code has 1e-5.
  discriminator.reset_below = 0.0
  return discriminator


def _norm() -> ConfigDict:
  norm = ConfigDict()
  # 'batch' (§3.1.1 to §3.1.3) or 'group', which normalises each image on its
  # own, by the statistics of a group of features over its pixels.
  norm.kind = 'batch'
  norm.group_size = 16  # Features per group; divides those of every layer.
  # Decay of the running statistics ('batch'), and the constant added to the
  # variance: the defaults of PyTorch, which the paper used (§4.2).
  norm.momentum = 0.9
  norm.epsilon = 1e-5
  return norm


def _augmentation() -> ConfigDict:
  augmentation = ConfigDict()
  # 'cut_paste' (§3.2), 'random_erasing' (Table 4), 'none' (States 1 and 3) or
  # 'mixture', not in the paper: many shapes, contents and edges.
  augmentation.kind = 'cut_paste'
  augmentation.probability = 1.0  # That an image is augmented.
  # Area of the rectangle over the image's, uniform between the two (§3.2).
  augmentation.area_ratio = (0.02, 0.15)
  # Height over width, log-uniform between the two (CutPaste, Random Erasing).
  augmentation.aspect_ratio = (0.3, 3.3)
  # "Size, rotation angle and color dithering can be adjusted" (§3.2): range of
  # the scale of the pasted content, its largest rotation in degrees, and the
  # largest relative change of its brightness, contrast and saturation. §3.2
  # jitters the colour of textures only.
  augmentation.scale = (1.0, 1.0)
  augmentation.rotation = 0.0
  augmentation.color_jitter = 0.0
  augmentation.mixture = _mixture()
  return augmentation


def _mixture() -> ConfigDict:
  mixture = ConfigDict()
  # Drawn with equal probability.
  mixture.shapes = ('blob', 'scar', 'rectangle')
  mixture.contents = (
    'patch',  # Of another good image, rotated and scaled.
    'displaced',  # The image itself, slightly shifted.
    'color',
    'noise',
    'light',  # The image itself with other brightness and contrast.
    'blur',
  )
  mixture.max_defects = 2  # Per image.
  mixture.radius = (0.015, 0.2)  # Fraction of the image's side, log-uniform.
  mixture.opacity = (0.2, 1.0)
  # Fraction of defects blended into the low frequencies of the image (NSA).
  mixture.seamless = 0.3
  # Fraction of defects placed where the image has edges or texture.
  mixture.on_object = 0.8
  # Labels of the segmentation head: 0 for a mask of the visible changes;
  # k > 0 for graded labels, 1 / (1 + exp(-k (change - x0))) with the offset x0
  # (NSA, Schlüter et al. 2022). The change, averaged over neighbours, and the
  # offset are in grey levels, of which white has 255, the slope is per level.
  mixture.label_slope = 0.0
  mixture.label_offset = 5.0
  return mixture


def _variation() -> ConfigDict:
  # Random changes of the good image before the augmentation, up to these
  # values. The paper has none.
  variation = ConfigDict()
  variation.rotation = 0.0  # Degrees, in either direction.
  variation.scale = (1.0, 1.0)
  variation.shift = 0.0  # Fraction of the image's side.
  variation.flip_rows = False  # Flip top and bottom at random.
  variation.flip_columns = False  # Flip left and right at random.
  variation.brightness = 0.0  # Relative change of pixels.
  variation.contrast = 0.0  # Relative change of differences from the mean.
  # Relative change that varies smoothly across the image, as by another lamp.
  variation.shading = 0.0
  return variation


def _segmentation(generator: ConfigDict) -> ConfigDict:
  # A network that segments defects from (image, reconstruction), trained on the
  # masks of the augmentation (DRAEM). The paper has none: its weight in the
  # loss, `loss.segmentation_weight`, is 0.
  segmentation = ConfigDict()
  segmentation.base_features = generator.get_oneway_ref('base_features')
  segmentation.max_features = 256
  segmentation.num_levels = 5  # Of downsampling by two.
  # Of each level: 4×4 of stride 2, and with 2 a further one of 3×3 (DRAEM).
  segmentation.convolutions = 1
  segmentation.focus = 0.0  # γ of the focal loss (DRAEM has 2); 0 for none.
  return segmentation


def _loss() -> ConfigDict:
  loss = ConfigDict()
  # Weights W of eq 12 (§4.2).
  loss.adversarial_weight = 1.0
  loss.reconstruction_weight = 40.0
  loss.latent_weight = 1.0
  # Of the latent loss in the discriminator's loss, with the reconstruction
  # detached: eq 12 is "the overall loss of GAN", and the published code of
  # Skip-GANomaly and OCR-GAN has the term in both losses. With 0 only the
  # generator has it, and training may collapse (docs/reproduction.md).
  loss.discriminator_latent_weight = loss.get_oneway_ref('latent_weight')
  # Not in the paper: structural similarity in addition to L1, and the
  # segmentation head, which exists only with a weight.
  loss.ssim_weight = 0.0
  loss.segmentation_weight = 0.0
  return loss


def _optimizer() -> ConfigDict:
  optimizer = ConfigDict()
  # Network that is updated first, 'discriminator' or 'generator'. The second
  # update sees the first network as it is before the step if that is the
  # generator (Skip-GANomaly's published code), else as it is after its update.
  optimizer.first = 'discriminator'
  # Adam for both networks (§4.2).
  optimizer.learning_rate = 2e-4
  optimizer.beta1 = 0.5
  optimizer.beta2 = 0.999
  # Steps of cosine decay of the learning rate to 0; 0 for a constant rate.
  optimizer.decay_steps = 0
  # Decay of the exponential moving average (EMA) of the weights that scores are
  # computed with; 0 for the weights themselves.
  optimizer.average = 0.0
  return optimizer


def _score() -> ConfigDict:
  score = ConfigDict()
  # A(x) = γ L_rec + (1 − γ) L_lat (eq 13). The paper gives no value; 0.9 is
  # from Skip-GANomaly.
  score.gamma = 0.9
  # Score of an image: 'paper' (eq 13), the 'max' of its map, or the mean of the
  # 'top_k' largest values of its map.
  score.image = 'paper'
  score.top_k = 100  # Pixels.
  # 'residual' (eq 15), 'smoothed_residual', 'gradient_similarity' (multi-scale
  # gradient magnitude similarity, RIAD), 'mix', the mean of the latter two, or
  # 'segmentation', the probability from the segmentation head.
  score.map = 'smoothed_residual'
  # Standard deviation of the Gaussian, as a fraction of the image's side: four
  # pixels at 256 (PaDiM). All maps except 'residual' are smoothed.
  score.smoothing = 1 / 64
  # Share of the shorter side of the image, or of the square that other
  # geometries than 'tiles' make of it, that does not count at each border: the
  # map is 0 there, so that defects there are missed. For sloppily cropped
  # images.
  score.margin = 0.0
  # Maps are the mean over so many views of the image; 1 for the image alone.
  # The others are shifted by up to 2 pixels, and mirrored or rotated by quarter
  # turns where `variation` says that such parts are good. Time grows likewise.
  score.views = 1
  score.batch_size = 32  # Over all devices; scores do not depend on it.
  return score


def _log() -> ConfigDict:
  log = ConfigDict()
  log.every_steps = 10  # Losses to TensorBoard.
  # Panels of input, cut-paste, reconstruction and residual; 0 for none.
  log.panel_every_epochs = 20
  return log


def _checkpoint() -> ConfigDict:
  checkpoint = ConfigDict()
  checkpoint.every_epochs = 20  # And at the end.
  checkpoint.max_to_keep = 3  # The newest ones.
  return checkpoint


def _benchmark() -> ConfigDict:
  benchmark = ConfigDict()
  benchmark.num_steps = 10  # Timed; the median is reported.
  benchmark.warmup_steps = 2  # After the compilation, not timed.
  benchmark.num_images = 256  # Of the random training set.
  # Batch sizes and numbers of devices to measure; () for config.batch_size and
  # all devices.
  benchmark.batch_sizes = ()
  benchmark.device_counts = ()
  return benchmark

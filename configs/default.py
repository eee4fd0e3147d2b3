"""Every field there is, at the paper's values, on the embedded data set.

  python main.py --config=configs/default.py

Section, equation and table numbers are those of "Anomaly Detection of GAN
Industrial Image Based on Attention Feature Fusion" (Sensors 2023, 23, 355).
Where the paper is silent the comment names the source of the choice.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  """Returns the configuration that all others start from."""
  config = ConfigDict()

  config.method = 'afgan'  # The system that is trained; 'afgan' is the paper's.
  config.seed = 0  # Weights, augmentation, order of images, held-out images.
  config.image_size = 256  # Side in pixels, a power of two (§4.2).
  # Side of the squares that the networks see, a power of two: in training one
  # at random of each image, in scoring all of a grid in which they overlap by
  # half. Smaller than the image, they show small defects at little cost.
  config.tile_size = config.get_oneway_ref('image_size')
  config.batch_size = 64  # Over all devices (§4.2).
  config.num_epochs = 400  # §4.2.
  # Length of training in steps instead; 0 for `num_epochs`. A small training
  # set then gets as much training as a large one.
  config.num_steps = 0
  # Compute type of the networks in training, 'float32' or 'bfloat16'.
  # Parameters, statistics, losses and all of scoring are float32 either way.
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
  # Part of the good training images that is held out of training. The paper
  # holds out none: configs that reproduce it set 0.
  config.calibration.fraction = 0.1
  # Share of good images that the threshold may reject.
  config.calibration.false_reject_rate = 0.01
  config.metrics = ConfigDict()
  # Side in pixels at which the pixel metrics are measured, so that runs of
  # different sizes can be compared; 0 for the networks' size.
  config.metrics.pixel_size = 0
  config.predict = ConfigDict()
  # What --mode=predict writes besides its tables: an overlay of each image, as
  # 'jpeg' or 'png', or 'none'.
  config.predict.overlay = 'jpeg'
  # A colour map of matplotlib. 'inferno' reads in grey and for colour-blind
  # people; 'jet' is the paper's, blue to red (Figure 8).
  config.predict.colormap = 'inferno'
  config.log = _log()
  config.checkpoint = _checkpoint()
  config.benchmark = _benchmark()
  return config


def _data() -> ConfigDict:
  data = ConfigDict()
  # 'procedural' (embedded), 'folder' (one's own) or 'mvtec_ad' (§4.1).
  data.source = 'procedural'
  # Folder of the images, or a table that lists them; 'procedural' needs none.
  data.path = ''
  data.category = ''  # One of the fifteen of Table 1, for 'mvtec_ad'.
  # Where batches are made: 'device' (the training set lies on the device,
  # augmentation is part of the compiled step, several steps go in one call) or
  # 'host' (tf.data), for sets that the device cannot hold.
  data.placement = 'device'
  # How an image becomes square: 'stretch' (§4.2, "resized"), 'pad' with its
  # edge pixels, or 'object', for one object on a plain ground: a window around
  # it, turned so that its longest axis lies along the rows.
  data.geometry = 'stretch'
  # How far that window reaches across and along the axis, as shares of the
  # image's longer side; it is mapped to the square.
  data.window = (1.0, 1.0)
  # A regular expression for files' names, e.g. r'part(\d+)': images in which it
  # finds the same show one part, which is held out as a whole or not at all.
  data.part = ''
  # Share of the good images that is measured on, not learnt from, where neither
  # folders nor a table tell.
  data.test_fraction = 0.2
  # The level that is white in images of 16 or 32 bits a pixel, e.g. 4095 for a
  # camera of 12 bits; 0 for the largest of 16 bits.
  data.white = 0.0
  # Larger images are not decoded: a small file may claim to be of any size.
  data.max_pixels = 178_956_970
  # What is decoded is kept in the user's cache folder, up to this size; 0 keeps
  # nothing.
  data.cache_gib = 4.0
  # Train without the images that cannot be read, instead of refusing to.
  data.skip_unreadable = False
  # Bring each image to the same mean and spread of grey levels, so that no
  # score can follow the lamp.
  data.normalize_light = False
  # Bring each image to the same mean alone, which keeps its contrast, or as
  # near to it as leaves nearly nothing white.
  data.normalize_brightness = False
  data.procedural = ConfigDict()
  data.procedural.seed = 0  # Of the images; `config.seed` leaves them alone.
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
  # What joins encoder and decoder at equal resolution: 'aff' (§3.1.3),
  # 'concat' (the "connection" of Table 4), 'none' (States 1 and 2 of Table 3).
  generator.fusion = 'aff'
  # r of the attention's bottleneck (§3.1.3); value of Dai et al. 2021.
  generator.aff_reduction = 4
  # 'sigmoid': the gate is F' of eq 7, as in Dai et al. 2021. 'product': the
  # gate is F ⊗ F' of eq 8 taken at its word, which is unbounded.
  generator.aff_gate = 'sigmoid'
  # Factor on Z of eq 4; Dai et al.'s published code has 2.
  generator.aff_scale = 1.0
  # As `norm.kind`, unless set by itself, in these fusions alone.
  generator.aff_norm = norm.get_oneway_ref('kind')
  return generator


def _discriminator(generator: ConfigDict, norm: ConfigDict) -> ConfigDict:
  discriminator = ConfigDict()
  # As wide as the generator unless set by itself; DCGAN's is 64 (§3.1.2).
  discriminator.base_features = generator.get_oneway_ref('base_features')
  discriminator.max_features = 512
  discriminator.latent_features = 100  # Length of f in eq 11 (Skip-GANomaly).
  discriminator.norm = norm.get_oneway_ref('kind')
  # Drawn anew, with its optimizer, when its whole loss falls below this; 0 for
  # never. Skip-GANomaly's published code has 1e-5.
  discriminator.reset_below = 0.0
  return discriminator


def _norm() -> ConfigDict:
  norm = ConfigDict()
  # 'batch' (§3.1.1 to §3.1.3) or 'group', which sees each image by itself: the
  # statistics of a group of features over its pixels.
  norm.kind = 'batch'
  norm.group_size = 16  # Features of a group; divides those of every layer.
  # Share of the old running statistics kept at each step ('batch'), and the
  # constant under the root: the defaults of PyTorch, which the paper used
  # (§4.2).
  norm.momentum = 0.9
  norm.epsilon = 1e-5
  return norm


def _augmentation() -> ConfigDict:
  augmentation = ConfigDict()
  # 'cut_paste' (§3.2), 'random_erasing' (Table 4), 'none' (States 1 and 3) or
  # 'mixture', not the paper's: many shapes, contents and edges.
  augmentation.kind = 'cut_paste'
  augmentation.probability = 1.0  # Share of the images that are augmented.
  # Area of the rectangle over the image's, uniform between the two (§3.2).
  augmentation.area_ratio = (0.02, 0.15)
  # Height over width, log-uniform between the two (CutPaste, Random Erasing).
  augmentation.aspect_ratio = (0.3, 3.3)
  # "Size, rotation angle and color dithering can be adjusted" (§3.2): the
  # pasted content is scaled by a factor between the two, turned by up to that
  # many degrees, and its brightness, contrast and saturation are each changed
  # by up to that fraction. §3.2 jitters the colour of textures only.
  augmentation.scale = (1.0, 1.0)
  augmentation.rotation = 0.0
  augmentation.color_jitter = 0.0
  augmentation.mixture = _mixture()
  return augmentation


def _mixture() -> ConfigDict:
  mixture = ConfigDict()
  # Each as likely as the others of its list.
  mixture.shapes = ('blob', 'scar', 'rectangle')
  mixture.contents = (
    'patch',  # Of another good image, turned and scaled.
    'displaced',  # The image itself, moved by a little.
    'color',
    'noise',
    'light',  # The image itself, brighter or darker, steeper or flatter.
    'blur',
  )
  mixture.max_defects = 2  # On one image.
  mixture.radius = (0.015, 0.2)  # Share of the image's side, log-uniform.
  mixture.opacity = (0.2, 1.0)
  # Share of the defects that take the light of what is around them (NSA).
  mixture.seamless = 0.3
  # Share of them that lie where the image has edges or texture.
  mixture.on_object = 0.8
  return mixture


def _variation() -> ConfigDict:
  # Of the good image itself before anything else, each drawn between nothing
  # and what stands here. The paper has none.
  variation = ConfigDict()
  variation.rotation = 0.0  # Degrees, either way.
  variation.scale = (1.0, 1.0)
  variation.shift = 0.0  # Share of the image's side.
  variation.flip_rows = False  # Whether top and bottom may change places.
  variation.flip_columns = False  # Whether left and right may.
  variation.brightness = 0.0  # Share of the grey levels.
  variation.contrast = 0.0  # Share of their distance from the mean.
  return variation


def _segmentation(generator: ConfigDict) -> ConfigDict:
  # A network that tells defective pixels from (image, reconstruction), trained
  # on where the augmentation put defects (DRAEM). The paper has none: its
  # weight in the loss, `loss.segmentation_weight`, is 0.
  segmentation = ConfigDict()
  segmentation.base_features = generator.get_oneway_ref('base_features')
  segmentation.max_features = 256
  segmentation.num_levels = 5  # Of halving.
  segmentation.focus = 0.0  # γ of the focal loss (DRAEM has 2); 0 for none.
  return segmentation


def _loss() -> ConfigDict:
  loss = ConfigDict()
  # W of eq 12 (§4.2).
  loss.adversarial_weight = 1.0
  loss.reconstruction_weight = 40.0
  loss.latent_weight = 1.0
  # Of the latent loss in the discriminator's own loss, with the reconstruction
  # detached: eq 12 is "the overall loss of GAN", and Skip-GANomaly's and
  # OCR-GAN's published code give the term to both networks. With 0 only the
  # generator has it, and the discriminator may win (docs/reproduction.md).
  loss.discriminator_latent_weight = loss.get_oneway_ref('latent_weight')
  # Not the paper's. Structural similarity beside L1, and the segmentation
  # head, which exists only with a weight.
  loss.ssim_weight = 0.0
  loss.segmentation_weight = 0.0
  return loss


def _optimizer() -> ConfigDict:
  optimizer = ConfigDict()
  # Which is updated first, 'discriminator' or 'generator'. The second one is
  # judged by, or judges, the first as it is before the step if that is the
  # generator (Skip-GANomaly's published code), else as it is after.
  optimizer.first = 'discriminator'
  # Adam for both networks (§4.2).
  optimizer.learning_rate = 2e-4
  optimizer.beta1 = 0.5
  optimizer.beta2 = 0.999
  # Steps over which the learning rate falls to 0 along a cosine; 0 for never.
  optimizer.decay_steps = 0
  # What scores: the weights' running average with this share of the old at
  # each step, or, with 0, the weights as they are.
  optimizer.average = 0.0
  return optimizer


def _score() -> ConfigDict:
  score = ConfigDict()
  # A(x) = γ L_rec + (1 − γ) L_lat (eq 13). The paper gives no value; 0.9 is
  # that of GANomaly's successor, Skip-GANomaly.
  score.gamma = 0.9
  # The score of an image: 'paper' (eq 13), or local ones, 'max' of its map or
  # the mean of the 'top_k' largest values there.
  score.image = 'paper'
  score.top_k = 100  # Pixels.
  # 'residual' (eq 15), 'smoothed_residual', 'gradient_similarity' (multi-scale
  # gradient magnitude similarity, RIAD), or 'mix', the mean of the latter two.
  score.map = 'smoothed_residual'
  # Standard deviation of the Gaussian, as a share of the image's side: four
  # pixels at 256 (PaDiM). All maps but 'residual' are smoothed.
  score.smoothing = 1 / 64
  score.batch_size = 32  # Over all devices; no score depends on it.
  return score


def _log() -> ConfigDict:
  log = ConfigDict()
  log.every_steps = 10  # Losses to TensorBoard.
  # A panel of input, cut-paste, reconstruction and residual to TensorBoard;
  # 0 for none.
  log.panel_every_epochs = 20
  return log


def _checkpoint() -> ConfigDict:
  checkpoint = ConfigDict()
  checkpoint.every_epochs = 20  # And one at the end.
  checkpoint.max_to_keep = 3  # The newest ones.
  return checkpoint


def _benchmark() -> ConfigDict:
  benchmark = ConfigDict()
  benchmark.num_steps = 10  # Timed ones; the median is reported.
  benchmark.warmup_steps = 2  # After the compilation, not timed.
  benchmark.num_images = 256  # Of the random training set.
  # Batch sizes and numbers of devices to go through; () is config.batch_size
  # and all devices.
  benchmark.batch_sizes = ()
  benchmark.device_counts = ()
  return benchmark
